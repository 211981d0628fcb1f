import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { ensureMlflow } from "../../scripts/lib/mlflow-install.ts";
import type { MlflowVersion } from "../../scripts/lib/mlflow-server.ts";
import { pythonEnv } from "../../scripts/lib/python-env.ts";
import { programArguments } from "./python-host.ts";

/**
 * Runs a script of this directory with an unmodified MLflow client, to its end.
 * @returns the JSON that it says on stdout
 * @throws Error with what it said on stderr where it failed
 */
export async function runPython(
  script: string,
  args: readonly string[],
  env: Record<string, string>,
  version: MlflowVersion = "3",
): Promise<unknown> {
  const python = await ensureMlflow(version);
  const child = spawn(python, programArguments(version, [resolve(import.meta.dirname, script), ...args]), {
    stdio: ["ignore", "pipe", "pipe"],
    env: pythonEnv(env),
  });
  let [said, errors] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const code = await new Promise<number | null>((done) => child.once("close", done));
  if (code !== 0) throw new Error(`${script} ended with ${code}\n${errors}`);
  return JSON.parse(said);
}
