import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { freePort, startMlflow } from "../../scripts/lib/mlflow-server.ts";
import { type Made, makeRelay } from "../../scripts/lib/relay-process.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Of the MLflow that the files share, each in a workspace of its own. */
    mlflow: string;
    made: Made;
  }
}

/** Starts and makes once what every file needs. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = await mkdtemp(join(tmpdir(), "trial-relay-"));
  const [mlflow, made] = await Promise.all([
    startMlflow({ port: await freePort(), dataDir: join(dir, "mlflow"), workers: 2, workspaces: true }),
    makeRelay(dir),
  ]);
  project.provide("mlflow", mlflow.uri);
  project.provide("made", made);
  return async () => {
    await mlflow.stop();
    await rm(dir, { recursive: true, force: true });
  };
}
