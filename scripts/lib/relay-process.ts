import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { hasCode } from "./lock.ts";
import { portReleased } from "./ports.ts";
import { buildWorker, type Entry, prepareRelay } from "./relay-config.ts";
import { LogTail, runWrangler, spawnWrangler } from "./wrangler.ts";

const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 5_000;
/** Where wrangler keeps its simulated databases. */
const STATE = "v3";

/** What starting a relay does that is the same for all of them: a build of the Worker, and a database with its schema. */
export type Made = { build: string; state: string };

/** Makes it once for many relays, in the given folders. */
export async function makeRelay({ build, state }: Made): Promise<void> {
  await Promise.all([buildWorker(build), migrate(state)]);
}

/** What a relay is started with, whatever starts it. */
export type Where = Pick<RelayOptions, "port" | "vars"> & { stateDir: string };

/** Gets ready what a relay runs from; what it answers starts the process, once the database is there too. */
export type Launcher = (where: Where) => Promise<() => ChildProcess>;

export type RelayOptions = {
  port: number;
  /** Holds the local D1, the build and the private configuration; one relay at a time. */
  stateDir: string;
  /** The Worker's environment; wins over `[vars]` of wrangler.toml. `.dev.vars` of the root is not read. */
  vars: Record<string, string>;
  /** What of the start was done before; a relay with an entry of its own is built all the same. */
  made?: Made;
  /** Another entry than wrangler.toml's. */
  entry?: Partial<Entry>;
  /** Starts the Worker in place of `wrangler dev`. */
  launcher?: Launcher;
  /** Hears what is being done. */
  report?: (line: string) => void;
  /** Copies the log to this process's stdout, or gives it to a function piece by piece. */
  inheritLog?: boolean | ((piece: string) => void);
};

export type RelayProcess = {
  url: string;
  pid: number;
  /** Resolves with the exit code when the process ends, asked for or not. */
  exited: Promise<number | null>;
  /** Ends it in order: requests and queue batches under way may finish. */
  stop(): Promise<void>;
  /** Ends the whole process group at once, as a crash or a power cut would. */
  kill(): void;
  /** Runs the scheduled handler once; resolves with its outcome ("ok", "exception", ...). */
  cron(): Promise<string>;
  /** The log so far, its last 200 kB. */
  log(): string;
  /** The last lines of the log. */
  logTail(): string;
};

/** Applies the migrations, starts the Worker in `wrangler dev` unless told, and resolves when /health answers 200. */
export async function startRelay(options: RelayOptions): Promise<RelayProcess> {
  const {
    port,
    vars,
    made,
    launcher = inWranglerDev(options),
    report = () => {},
    inheritLog = false,
  } = options;
  const stateDir = resolve(options.stateDir);
  await portReleased(port);

  report("building the Worker and applying migrations");
  const [launch] = await Promise.all([
    launcher({ port, stateDir, vars }),
    made ? copyState(made.state, stateDir) : migrate(stateDir),
  ]);

  report("starting the Worker");
  const child = launch();
  const log = new LogTail();
  log.follow(child, inheritLog === true ? (piece) => process.stdout.write(piece) : inheritLog || undefined);
  const exited = once(child, "exit").then(([code]) => (typeof code === "number" ? code : null));
  const url = `http://127.0.0.1:${port}`;
  try {
    await healthy(url, exited);
  } catch (error) {
    killGroup(child);
    throw new Error(
      `The relay did not start: ${error instanceof Error ? error.message : String(error)}\n${log.tail()}`,
    );
  }
  return {
    url,
    pid: groupOf(child),
    exited,
    stop: () => stop(child, exited),
    kill: () => killGroup(child),
    cron: () => fireCron(url),
    log: () => log.text(),
    logTail: () => log.tail(),
  };
}

function inWranglerDev({ entry, made }: RelayOptions): Launcher {
  return async ({ port, stateDir, vars }) => {
    const dir = join(stateDir, "relay");
    const config = await prepareRelay(dir, vars, entry, entry ? undefined : made?.build);
    // Relays side by side must not find each other: wrangler links Workers by name through this folder.
    const registry = { WRANGLER_REGISTRY_PATH: join(dir, "registry") };
    return () => spawnWrangler(devArguments(config, port, stateDir), registry);
  };
}

function migrate(stateDir: string): Promise<void> {
  return runWrangler(["d1", "migrations", "apply", "trial-relay", "--local", "--persist-to", stateDir]);
}

/** A relay that was started before has its own state. */
async function copyState(from: string, to: string): Promise<void> {
  const database = join(to, STATE);
  if (!existsSync(database)) await cp(join(from, STATE), database, { recursive: true });
}

function devArguments(config: string, port: number, stateDir: string): string[] {
  const where = ["--config", config, "--persist-to", stateDir, "--ip", "127.0.0.1", "--port", String(port)];
  return [
    "dev",
    ...where,
    "--inspector-port",
    "0",
    "--show-interactive-dev-session=false",
    "--log-level",
    "log",
  ];
}

async function healthy(url: string, exited: Promise<number | null>): Promise<void> {
  let gone = false;
  void exited.then(() => {
    gone = true;
  });
  const deadline = Date.now() + START_LIMIT_MS;
  let last = "no answer";
  while (Date.now() < deadline) {
    if (gone) throw new Error("its process ended");
    try {
      const { status } = await fetch(`${url}/health`, { signal: AbortSignal.timeout(5_000) });
      if (status === 200) return;
      last = `/health answers ${status}`;
    } catch {
      // Not listening yet.
    }
    await sleep(100);
  }
  throw new Error(`${last} after ${START_LIMIT_MS / 1000} s`);
}

async function stop(child: ChildProcess, exited: Promise<number | null>): Promise<void> {
  // Only the leader is asked: it ends workerd itself, and would take workerd's own end for a crash.
  child.kill("SIGTERM");
  await Promise.race([exited, sleep(STOP_LIMIT_MS, undefined, { ref: false })]);
  killGroup(child);
  await exited;
}

function killGroup(child: ChildProcess): void {
  try {
    process.kill(-groupOf(child), "SIGKILL");
  } catch (error) {
    if (!hasCode(error, "ESRCH")) throw error;
  }
}

function groupOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error("the relay's process could not be created");
  return child.pid;
}

async function fireCron(url: string): Promise<string> {
  const answer = await fetch(
    `${url}/cdn-cgi/local/scheduled?format=json&cron=${encodeURIComponent("*/5 * * * *")}`,
  );
  const body = await answer.text();
  return /"outcome":"(\w+)"/.exec(body)?.[1] ?? `HTTP ${answer.status}`;
}
