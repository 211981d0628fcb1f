import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { toPairs } from "../../domain/pairs.ts";
import type { Run } from "../../mlflow/types.ts";
import { pulledMetrics, readMirrored } from "../mirror/mirrored.ts";
import { mlflowRuns } from "../schema/index.ts";

/** A run as it was last seen in MLflow, by MLflow's id; null where it never was. */
export async function readMirroredRun(db: D1Database, runId: string): Promise<Run | null> {
  const row = await drizzle(db).select().from(mlflowRuns).where(eq(mlflowRuns.mlflowRunId, runId)).get();
  if (!row) return null;
  const data = readMirrored(row.data);
  return {
    info: { ...row, runId, experimentId: row.mlflowExperimentId },
    data: {
      params: toPairs(data?.params ?? {}),
      tags: toPairs(data?.tags ?? {}),
      metrics: pulledMetrics(data),
    },
    inputs: {
      datasets: (data?.inputs ?? []).map(({ source_type, tags, ...dataset }) => ({
        ...dataset,
        sourceType: source_type,
        schema: null,
        profile: null,
        tags: toPairs(tags),
      })),
      modelIds: [],
    },
    outputs: [],
  };
}
