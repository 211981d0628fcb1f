import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { ensureMlflow } from "../../scripts/lib/mlflow-install.ts";
import { SQLITE_STORE } from "../../scripts/lib/mlflow-server.ts";
import { pythonEnv } from "../../scripts/lib/python-env.ts";
import { programArguments } from "./python-host.ts";

const SCRIPT = resolve(import.meta.dirname, "python-client.py");

/** The unmodified MLflow Python client in a process of its own. */
export type PythonClient = {
  /**
   * Calls a method of `MlflowClient` by its Python name. Calls are answered in order, so many may be under way at once.
   * @param args positional; `{ entity: "Metric", key: ... }` stands for an `mlflow.entities.Metric`
   * @param kwargs by name
   * @returns what the method returned, as JSON: a run as its `to_dictionary()`, other entities field by field
   * @throws Error with the Python exception's type and message
   */
  run(call: string, args?: readonly unknown[], kwargs?: Record<string, unknown>): Promise<unknown>;
  stop(): Promise<void>;
};

/** Starts the client of MLflow 3 against a tracking server. */
export function pythonClient(uri: string): Promise<PythonClient> {
  return start(uri, process.cwd(), {});
}

/**
 * Starts the same against a server's database, past the server: MLflow's own store, in one process and without HTTP,
 * for thousands of calls.
 * @param dataDir of a server with workspaces whose store is `SQLITE_STORE`
 */
export function storeClient(dataDir: string, workspace: string): Promise<PythonClient> {
  return start(SQLITE_STORE, dataDir, { MLFLOW_ENABLE_WORKSPACES: "true", MLFLOW_WORKSPACE: workspace });
}

async function start(uri: string, cwd: string, env: Record<string, string>): Promise<PythonClient> {
  const python = await ensureMlflow("3");
  const child = spawn(python, programArguments("3", [SCRIPT, uri]), {
    cwd,
    stdio: ["pipe", "pipe", "inherit"],
    env: pythonEnv(env),
  });
  const ended = new Promise<void>((done) => child.once("close", () => done()));
  const waiting: ((line: string | null) => void)[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => waiting.shift()?.(line));
  void ended.then(() => {
    for (const answer of waiting.splice(0)) answer(null);
  });
  return {
    run: async (call, args = [], kwargs = {}) => {
      const answered = new Promise<string | null>((done) => waiting.push(done));
      child.stdin.write(`${JSON.stringify({ call, args, kwargs })}\n`);
      const line = await answered;
      if (line === null) throw new Error(`the MLflow client ended before it answered ${call}`);
      const answer: { value: unknown } | { error: string } = JSON.parse(line);
      if ("error" in answer) throw new Error(`${call}: ${answer.error}`);
      return answer.value;
    },
    stop: async () => {
      child.stdin.end();
      await ended;
    },
  };
}
