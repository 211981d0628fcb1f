import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { devVarLine, parseDevVars } from "../../scripts/lib/dev-vars.ts";
import { findPython } from "../../scripts/lib/python.ts";
import { alone } from "../../scripts/start/alone.ts";
import { isOwnAddress } from "../../scripts/start/own-address.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "start-"));
});
afterAll(() => rm(dir, { recursive: true }));

test("a second relay in a folder is refused, whatever its port, and leaves the first one alone", async () => {
  const lock = join(dir, "start.lock");
  const { promise: isOver, resolve: end } = Promise.withResolvers<void>();
  const { promise: hasBegun, resolve: begin } = Promise.withResolvers<void>();
  const first = alone(lock, async () => {
    begin();
    await isOver;
  });
  await hasBegun;
  let runs = 0;
  const work = async () => void runs++;
  await expect(alone(lock, work)).rejects.toThrow("runs in this folder already");
  await stat(lock);
  end();
  await first;
  await alone(lock, work);
  expect(runs).toBe(1);
});

test("a lock is nobody's that was left by an earlier process of the same number, as in a container that was killed", async () => {
  const lock = join(dir, "left.lock");
  await mkdir(lock);
  await writeFile(join(lock, "pid"), String(process.pid));
  const before = new Date(performance.timeOrigin - 60_000);
  await utimes(lock, before, before);
  let runs = 0;
  await alone(lock, async () => void runs++);
  expect(runs).toBe(1);
});

test.each([
  ["http://127.0.0.1:8787", true],
  ["http://localhost:8787/", true],
  ["http://user:pass@[::1]:8787/prefix", true],
  ["http://127.0.0.1:5000", false],
  ["https://mlflow.example.com:8787", false],
  ["http://127.0.0.1", false],
  ["databricks", false],
])("of MLflow at %s it is %j that it is the relay's own address", (uri, isOwn) => {
  expect(isOwnAddress(uri, 8787)).toBe(isOwn);
});

test.each(["plain", "with 'one' kind", `with 'two' "kinds"`, "a#b $c"])(
  "the variable %s is handed on as it is",
  (value) => {
    expect(parseDevVars(devVarLine("MLFLOW_TRACKING_PASSWORD", value))).toEqual({
      MLFLOW_TRACKING_PASSWORD: value,
    });
  },
);

test("one that cannot be handed on is named, and not said", () => {
  const hand = () => devVarLine("MLFLOW_TRACKING_PASSWORD", "s'e\"c`ret");
  expect(hand).toThrow("MLFLOW_TRACKING_PASSWORD may not hold");
  expect(hand).not.toThrow("ret");
});

/** Starts a module of Python's as `npm start` starts MLflow, and says which process it is. */
const PARENT = `
  import { spawn } from "node:child_process";
  import { endingWithParent } from "./scripts/start/keep-mlflow.ts";
  const args = endingWithParent(["-m", "http.server", "0", "--bind", "127.0.0.1"]);
  console.log(spawn(process.argv[1], args, { detached: true, stdio: ["ignore", "inherit", "inherit"] }).pid);
  setInterval(() => {}, 1000);`;

test("the MLflow of `npm start` ends with it, though it was killed", async () => {
  const python = await findPython(Number.POSITIVE_INFINITY);
  const parent = spawn(process.execPath, ["--input-type=module", "-e", PARENT, python], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  // Once nobody has its output any more.
  const isOver = once(parent, "close");
  const [said] = await once(parent.stdout, "data");
  parent.kill("SIGKILL");
  const ended = await Promise.race([isOver.then(() => true), sleep(8_000)]);
  if (!ended) process.kill(-Number.parseInt(String(said), 10), "SIGKILL");
  expect(ended).toBe(true);
});

/** Starts a script as npm does, and is that npm. */
const NPM = `
  import { spawn } from "node:child_process";
  const script = 'import { onceOrphaned } from "./scripts/start/orphaned.ts";' +
    'onceOrphaned(() => process.exit()); setInterval(() => {}, 1000); console.log(process.pid)';
  const env = { ...process.env, npm_lifecycle_event: "start" };
  spawn(process.execPath, ["--input-type=module", "-e", script], { detached: true, env, stdio: "inherit" });`;

test("what npm has started stops once npm is gone, though it was killed", async () => {
  const npm = spawn(process.execPath, ["--input-type=module", "-e", NPM], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const isOver = once(npm, "close");
  const [said] = await once(npm.stdout, "data");
  npm.kill("SIGKILL");
  const ended = await Promise.race([isOver.then(() => true), sleep(8_000)]);
  if (!ended) process.kill(Number.parseInt(String(said), 10), "SIGKILL");
  expect(ended).toBe(true);
});
