import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive } from "../lib/lock.ts";
import { type MlflowServer, startMlflow } from "../lib/mlflow-server.ts";
import { forgetMlflow, noteMlflow } from "./mlflow-pid.ts";

const LOOK_EVERY_MS = 500;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
const TAIL_LINES = 8;

const END_WITH_PARENT = join(import.meta.dirname, "end-with-parent.py");

/** Python's arguments for a module that ends with this process: one that was killed would leave it, and its port taken. */
export function endingWithParent(args: string[]): string[] {
  return [END_WITH_PARENT, String(process.pid), ...args];
}

type Options = { port: number; dataDir: string; report: (line: string) => void };

const start = (options: Options) => startMlflow({ ...options, argumentsOf: endingWithParent });

/**
 * Starts MLflow and starts it again, with growing pauses, whenever it ends: the relay keeps the events meanwhile.
 * Resolves when it answers for the first time; rejects if it never does. The result stops it for good.
 */
export async function keepMlflow(options: Options): Promise<() => Promise<void>> {
  const stopping = new AbortController();
  let server = await start(options);
  await noteMlflow(server);
  void keep();

  async function keep(): Promise<void> {
    while (!stopping.signal.aborted) {
      await untilDead(server, stopping.signal);
      if (stopping.signal.aborted) return;
      options.report(
        `MLflow has ended. The relay keeps events until it is back. The end of its log:\n${await logTail(options)}`,
      );
      const next = await restart(options, stopping.signal);
      if (!next) return;
      server = next;
      await noteMlflow(server);
    }
  }

  return async () => {
    stopping.abort();
    await forgetMlflow();
    await server.stop(); // one that is just starting ends with this process
  };
}

async function untilDead(server: MlflowServer, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && isAlive(server.pid)) await pause(LOOK_EVERY_MS, signal);
}

async function restart(options: Options, signal: AbortSignal): Promise<MlflowServer | null> {
  for (let wait = FIRST_PAUSE_MS; ; wait = Math.min(2 * wait, LONGEST_PAUSE_MS)) {
    options.report(`Starting MLflow again in ${wait / 1000} s`);
    await pause(wait, signal);
    if (signal.aborted) return null;
    try {
      const server = await start(options);
      options.report(`MLflow is back at ${server.uri}`);
      return server;
    } catch (error) {
      options.report(error instanceof Error ? error.message : String(error));
    }
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {}); // cut short by a stop
}

async function logTail({ dataDir }: Options): Promise<string> {
  const log = await readFile(join(dataDir, "mlflow.log"), "utf8").catch(() => "");
  return log.trimEnd().split("\n").slice(-TAIL_LINES).join("\n");
}
