import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { ensureMlflow, type MlflowVersion } from "../../scripts/lib/mlflow-install.ts";
import { pythonEnv } from "../../scripts/lib/python-env.ts";

/** In the environment: where the host of a version listens, for all processes of a test run. */
const SOCKET = "TRIAL_RELAY_PYTHON_HOST_";
const HOST = resolve(import.meta.dirname, "python-host.py");
const BRIDGE = resolve(import.meta.dirname, "python-bridge.py");

/** What programs import, and takes long; no server of MLflow 2 is started so. */
const MODULES: Record<MlflowVersion, string[]> = {
  "3": ["mlflow.cli", "mlflow.sklearn", "mlflow.store.tracking.sqlalchemy_store", "uvicorn"],
  "2": ["mlflow.sklearn"],
};

/**
 * Starts a Python that has imported MLflow and forks into the programs that are asked for from now on, by this process
 * and those that it starts: to import it takes each of them seconds otherwise. They wait for it where MLflow is still
 * to be installed.
 * @param socket the path of the socket to listen at
 * @returns ends it, and all programs with it
 */
export async function startPythonHost(version: MlflowVersion, socket: string): Promise<() => Promise<void>> {
  process.env[SOCKET + version] = socket;
  const python = await ensureMlflow(version);
  const child = spawn(python, [HOST, socket, ...MODULES[version]], {
    stdio: ["pipe", "inherit", "inherit"],
    env: pythonEnv(),
  });
  const ended = once(child, "close");
  return async () => {
    delete process.env[SOCKET + version];
    child.stdin.end();
    await ended;
  };
}

/** The arguments with which Python runs a program: its own, or those of the bridge to one that the host forks. */
export function programArguments(version: MlflowVersion, argv: readonly string[]): string[] {
  const socket = process.env[SOCKET + version];
  return socket === undefined ? [...argv] : ["-S", BRIDGE, socket, ...argv];
}
