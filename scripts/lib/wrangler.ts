import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { stripVTControlCharacters } from "node:util";

/** The root of the repository. */
export const ROOT = resolve(import.meta.dirname, "../..");

// Run by path: an `npx` in between would leave workerd behind when it is killed.
const WRANGLER = join(
  dirname(createRequire(import.meta.url).resolve("wrangler/package.json")),
  "bin",
  "wrangler.js",
);
const DIE_WITH_PARENT = pathToFileURL(join(import.meta.dirname, "die-with-parent.ts")).href;

const QUIET = {
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_HIDE_BANNER: "true",
  WRANGLER_WRITE_LOGS: "false",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  X_LOCAL_EXPLORER: "false",
  X_LOCAL_OBSERVABILITY: "false",
};

/** Who means another environment than the top level names it; one of the shell's would be taken for all that names none. */
const TOP_LEVEL = { CLOUDFLARE_ENV: "" };

/** The environment of a program whose output is read here. */
function piped(env: Record<string, string>): NodeJS.ProcessEnv {
  return { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0", ...TOP_LEVEL, ...env };
}

/** Starts a program of node as the leader of a process group of its own, which ends with this process however that ends. */
export function spawnLeader(program: string, args: string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, ["--import", DIE_WITH_PARENT, program, ...args], {
    cwd: ROOT,
    env: piped(env),
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
}

/** Starts wrangler so. */
export function spawnWrangler(args: string[], env: Record<string, string> = {}): ChildProcess {
  return spawnLeader(WRANGLER, args, { ...QUIET, ...env });
}

/** Runs a wrangler command to its end; rejects with its output if it fails. */
export async function runWrangler(args: string[]): Promise<void> {
  const child = spawnWrangler(args, { CI: "1" });
  const log = new LogTail();
  log.follow(child);
  const code = await exitCode(child);
  if (code !== 0) throw new Error(`wrangler ${args.slice(0, 3).join(" ")} failed:\n${log.tail()}`);
}

/** Runs a wrangler command in this terminal, where it may ask questions; answers its exit code. */
export function runWranglerHere(args: string[]): Promise<number> {
  return exitCode(spawn(process.execPath, [WRANGLER, ...args], { cwd: ROOT, stdio: "inherit" }));
}

/** Runs a wrangler command that asks nothing, with `input` to read; `output` is what it printed, with its errors if it failed. */
export async function runWranglerWith(args: string[], input = ""): Promise<{ code: number; output: string }> {
  // No leader: one ends with its input, which ends here at once.
  const child = spawn(process.execPath, [WRANGLER, ...args], {
    cwd: ROOT,
    env: piped({ ...QUIET, CI: "1" }),
  });
  child.stdin.on("error", () => {}); // who ends before it has read all says so by its code
  child.stdin.end(input);
  const printed = new LogTail();
  const failed = new LogTail();
  printed.listen(child.stdout);
  failed.listen(child.stderr);
  const code = await exitCode(child);
  return { code, output: code === 0 ? printed.text() : `${printed.text()}\n${failed.text()}` };
}

function exitCode(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
}

const KEPT_CHARACTERS = 200_000;

/** The end of what a process has said. */
export class LogTail {
  #text = "";

  /** Collects both streams of a child; `also` sees every piece as it comes. */
  follow(child: ChildProcess, also?: (piece: string) => void): void {
    for (const stream of [child.stdout, child.stderr]) this.listen(stream, also);
  }

  /** The same of one stream. */
  listen(stream: Readable | null, also?: (piece: string) => void): void {
    stream?.setEncoding("utf8").on("data", (data: string) => {
      const piece = stripVTControlCharacters(data);
      this.#text = (this.#text + piece).slice(-KEPT_CHARACTERS);
      also?.(piece);
    });
  }

  text(): string {
    return this.#text;
  }

  tail(lines = 15): string {
    return this.#text.trimEnd().split("\n").slice(-lines).join("\n");
  }
}
