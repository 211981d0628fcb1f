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
    /** Where that server keeps its database. */
    mlflowDir: string;
    made: Made;
  }
}

/** Starts and makes once what every file needs. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = await mkdtemp(join(tmpdir(), "trial-relay-"));
  const mlflowDir = join(dir, "mlflow");
  const [mlflow, made] = await Promise.all([
    startMlflow({ port: await freePort(), dataDir: mlflowDir, workers: 2, workspaces: true }),
    makeRelay(dir),
  ]);
  project.provide("mlflow", mlflow.uri);
  project.provide("mlflowDir", mlflowDir);
  project.provide("made", made);
  return async () => {
    await mlflow.stop();
    await rm(dir, { recursive: true, force: true });
  };
}
