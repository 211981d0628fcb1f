import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Run } from "../../mlflow/types.ts";
import { pulledMetrics, readMirrored } from "../mirror/mirrored.ts";
import { mlflowRuns } from "../schema/index.ts";

/** A run as it was last seen in MLflow, by MLflow's id; null where it never was. */
export async function readMirroredRun(db: D1Database, runId: string): Promise<Run | null> {
  const row = await drizzle(db).select().from(mlflowRuns).where(eq(mlflowRuns.mlflowRunId, runId)).get();
  if (!row) return null;
  const data = readMirrored(row.data);
  const pairs = (texts: Readonly<Record<string, string>> = {}) =>
    Object.entries(texts).map(([key, value]) => ({ key, value }));
  return {
    info: { ...row, runId, experimentId: row.mlflowExperimentId },
    data: {
      params: pairs(data?.params),
      tags: pairs(data?.tags),
      metrics: pulledMetrics(data),
    },
    inputs: { datasets: [] },
  };
}
