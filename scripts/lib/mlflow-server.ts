import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdir, open, readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { hasCode, isAlive } from "./lock.ts";
import { ensureMlflow, type MlflowVersion } from "./mlflow-install.ts";
import { pythonEnv } from "./python-env.ts";

export { ensureMlflow, type MlflowVersion } from "./mlflow-install.ts";

const HOST = "127.0.0.1";
const START_MS = 180_000; // the first start on an empty database runs every migration
const STOP_MS = 10_000;
const REPORT_EVERY_MS = 3000;
const TAIL_CHARS = 3000;

/** The database unless told: a file in the working directory, which is a server's `dataDir`. */
export const SQLITE_STORE = "sqlite:///mlflow.db";

/** No background jobs: a server for local use and tests. */
const QUIET_ENV = {
  MLFLOW_SERVER_ENABLE_JOB_EXECUTION: "false",
  PYTHONUNBUFFERED: "1",
};

/** A running server. `pid` leads its own process group, so `-pid` signals the server with all its workers. */
export type MlflowServer = {
  uri: string;
  port: number;
  pid: number;
  /** Ends it in order (SIGTERM, after 10 s SIGKILL) and resolves when the whole group is gone. */
  stop(): Promise<void>;
  /** Ends it at once, as a crash would (SIGKILL to the group). */
  kill(): void;
};

/**
 * Starts `mlflow server` on 127.0.0.1 with its store and artifacts in `dataDir`, its log in `dataDir/mlflow.log`, and
 * resolves once it answers. It is killed when this process exits; a caller that catches signals calls `stop`.
 * @param options.workers server processes, 1 unless told
 * @param options.workspaces whether the header `X-MLFLOW-WORKSPACE` names one of many stores in one
 * @param options.store the database's URI, `SQLITE_STORE` unless told
 * @param options.argumentsOf makes Python's arguments of those that run `mlflow server`, these themselves unless told
 * @throws Error if the port is taken, or if the server ends or stays silent, with the end of its log
 */
export async function startMlflow(options: {
  version?: MlflowVersion;
  port: number;
  dataDir: string;
  workers?: number;
  workspaces?: boolean;
  store?: string;
  argumentsOf?: (args: string[]) => string[];
  report?: (line: string) => void;
}): Promise<MlflowServer> {
  const {
    version = "3",
    port,
    workers = 1,
    workspaces = false,
    store = SQLITE_STORE,
    argumentsOf = (args) => args,
    report = () => {},
  } = options;
  const dataDir = resolve(options.dataDir);
  const python = await ensureMlflow(version, report);
  await assertFree(port);
  await mkdir(dataDir, { recursive: true });
  const logFile = join(dataDir, "mlflow.log");
  const log = await open(logFile, "a");
  // Paths are relative to the working directory, so that no character of dataDir has a meaning in a URI.
  const args = [
    "-m",
    "mlflow",
    "server",
    "--host",
    HOST,
    "--port",
    String(port),
    "--workers",
    String(workers),
    ...(workspaces ? ["--enable-workspaces"] : []),
  ];
  const stores = ["--backend-store-uri", store, "--artifacts-destination", "./artifacts"];
  const child = spawn(python, argumentsOf([...args, ...stores]), {
    cwd: dataDir,
    detached: true,
    stdio: ["ignore", log.fd, log.fd],
    env: pythonEnv(QUIET_ENV),
  });
  const failed = new Promise<never>((_, fail) => child.once("error", fail));
  failed.catch(() => {}); // observed below, while waiting for health
  await log.close();
  const server = handle(child, port);
  try {
    await Promise.race([failed, untilHealthy(server.uri, child, report)]);
    return server;
  } catch (error) {
    server.kill();
    const tail = (await readFile(logFile, "utf8").catch(() => "")).slice(-TAIL_CHARS).trim();
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${reason}\nThe end of ${logFile}:\n${tail}`);
  }
}

/** Ports that no system gives to connections, so that one stays free while whoever is to listen there starts. */
const FIRST_PORT = 20_000;
const PORTS = 12_000;

/** A TCP port on 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + randomInt(PORTS);
    if ((await listening(port)) === null) return port;
  }
}

async function assertFree(port: number): Promise<void> {
  const error = await listening(port);
  if (error === null) return;
  const taken = hasCode(error, "EADDRINUSE");
  throw taken ? new Error(`Port ${port} is in use: MLflow cannot start there. Choose another.`) : error;
}

/** What speaks against listening on a port, if anything does. */
function listening(port: number): Promise<Error | null> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once("error", done);
    probe.listen(port, HOST, () => probe.close(() => done(null)));
  });
}

function handle(child: ChildProcess, port: number): MlflowServer {
  const pid = child.pid ?? 0;
  const signal = (name: NodeJS.Signals) => {
    if (pid > 0 && isAlive(-pid)) process.kill(-pid, name);
  };
  let killed = false;
  const kill = () => {
    killed = true;
    signal("SIGKILL");
  };
  // After SIGKILL the group may linger as zombies that nobody reaps, as in a container without an init.
  const gone = () => pid === 0 || (hasEnded(child) && (killed || !isAlive(-pid)));
  process.once("exit", kill);
  child.once("close", () => {
    if (gone()) process.removeListener("exit", kill);
  });
  const stop = async () => {
    signal("SIGTERM");
    if (!(await until(gone, STOP_MS))) kill();
    await until(gone, STOP_MS);
    process.removeListener("exit", kill);
  };
  return { uri: `http://${HOST}:${port}`, port, pid, stop, kill };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function until(condition: () => boolean, limitMs: number): Promise<boolean> {
  const end = Date.now() + limitMs;
  while (!condition()) {
    if (Date.now() > end) return false;
    await sleep(50);
  }
  return true;
}

async function untilHealthy(uri: string, child: ChildProcess, report: (line: string) => void): Promise<void> {
  const started = Date.now();
  let reported = started;
  while (!(await isHealthy(uri))) {
    if (hasEnded(child))
      throw new Error(`MLflow ended at its start (${child.exitCode ?? child.signalCode}).`);
    if (Date.now() - started > START_MS)
      throw new Error(`MLflow did not answer within ${START_MS / 1000} s.`);
    if (Date.now() - reported >= REPORT_EVERY_MS) {
      reported = Date.now();
      report(`MLflow is starting (${Math.round((reported - started) / 1000)} s)`);
    }
    await sleep(200);
  }
}

async function isHealthy(uri: string): Promise<boolean> {
  try {
    const response = await fetch(`${uri}/health`, { signal: AbortSignal.timeout(2000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false; // not listening yet
  }
}
