import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, test, vi } from "vitest";
import { installPackages, requirementsFile } from "../../scripts/lib/python-packages.ts";

/** A program in Python's place writes down what it is asked for, and fails where it is to. */

const dir = await mkdtemp(join(tmpdir(), "trial-relay-packages-"));
afterAll(() => rm(dir, { recursive: true, force: true }));

async function installing({ config = "", fails = "nothing" }: { config?: string; fails?: string }) {
  const path = await mkdtemp(join(dir, "python-"));
  const [python, asked] = [join(path, "python"), join(path, "asked")];
  const script = `#!/bin/sh
echo "$*" >> '${asked}'
case "$*" in *"config list"*) echo "${config}";; esac
case "$*" in *${fails}*) echo "out of order" >&2; exit 1;; esac
`;
  await writeFile(python, script);
  await chmod(python, 0o755);
  const said: string[] = [];
  const end = await installPackages(python, "wanted.txt", (line) => said.push(line)).then(
    () => "installed",
    (error: unknown) => String(error),
  );
  const calls = (await readFile(asked, "utf8")).split("\n").filter((call) => call.endsWith(".txt"));
  return {
    end,
    said: said.join("\n"),
    calls: calls.map((call) => [call.split(" ")[1], call.split(" ").at(-1)]),
  };
}

const UV = requirementsFile("uv");

describe("packages are installed", () => {
  test("by uv, which pip installs", async () => {
    const { end, calls } = await installing({});
    expect(end).toBe("installed");
    expect(calls).toEqual([
      ["pip", UV],
      ["uv", "wanted.txt"],
    ]);
  });

  test.each([
    "global.index-url='https://mirror.example/simple'",
    ":env:.extra-index-url='https://mirror.example/simple'",
    "install.no-index='true'",
    "global.proxy='http://proxy.example:3128'",
    ":env:.constraint='/etc/constraints.txt'",
  ])("by pip where it is told where from: %s", async (config) => {
    const { end, calls } = await installing({ config });
    expect(end).toBe("installed");
    expect(calls).toEqual([["pip", "wanted.txt"]]);
  });

  test("by uv where pip is told other things", async () => {
    const config = ":env:.cert='/etc/ssl/index.crt'\n:env:.default-timeout='180'";
    expect((await installing({ config })).calls).toContainEqual(["uv", "wanted.txt"]);
  });

  test.each([
    ["has no build for the machine", "uv.txt", [["pip", UV]]],
    [
      "fails",
      '"-m uv"',
      [
        ["pip", UV],
        ["uv", "wanted.txt"],
      ],
    ],
  ])("by pip where uv %s, and why is said", async (_, fails, before) => {
    const { end, said, calls } = await installing({ fails });
    expect(end).toBe("installed");
    expect(calls).toEqual([...before, ["pip", "wanted.txt"]]);
    expect(said).toContain("out of order");
  });

  test("or not at all: then it is said why", async () => {
    expect((await installing({ fails: "install" })).end).toContain("out of order");
  });
});

/** Runs a command as an installation does, until it is told to stop, as `npm start` is. */
const INSTALLING = `
  import { execute } from "./scripts/lib/execute.ts";
  process.on("SIGTERM", () => process.exit());
  await execute("sh", ["-c", process.argv[1]], () => {});`;

test("an installation does not go on once it was stopped, in a folder that the next one clears away", async () => {
  const path = await mkdtemp(join(dir, "stopped-"));
  const [begun, wentOn] = [join(path, "begun"), join(path, "went on")];
  const command = `echo > '${begun}'; sleep 2; echo > '${wentOn}'`;
  const installing = spawn(process.execPath, ["--input-type=module", "-e", INSTALLING, command]);
  await vi.waitUntil(() => existsSync(begun), { timeout: 10_000 });
  installing.kill("SIGTERM");
  await sleep(4_000);
  expect(existsSync(wentOn)).toBe(false);
});
