import { and, eq, isNotNull } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { modelRuns, streams, trials } from "./schema.ts";

/** The stream of a model run, with what its trials need to know of it. */
export async function modelRunStream(db: D1Database, modelRunId: string) {
  const row = await drizzle(db)
    .select({
      stream: streams,
      core: modelRuns.core,
      announced: modelRuns.announced,
      experimentName: modelRuns.experimentName,
    })
    .from(modelRuns)
    .innerJoin(streams, eq(streams.id, modelRuns.id))
    .where(eq(modelRuns.modelRunId, modelRunId))
    .get();
  return row ?? null;
}

/** The folded core of a stream, as JSON; null while nothing is folded. */
export async function coreOf(
  db: D1Database,
  stream: { id: number; kind: "trial" | "model_run" },
): Promise<string | null> {
  const table = stream.kind === "trial" ? trials : modelRuns;
  const row = await drizzle(db).select({ core: table.core }).from(table).where(eq(table.id, stream.id)).get();
  return row?.core ?? null;
}

/** The trials of a model run that have runs in an experiment. */
export async function trialsInExperiment(db: D1Database, modelRunId: string, experimentId: string) {
  return drizzle(db)
    .select({ key: streams.key, trialId: streams.trialId })
    .from(streams)
    .where(
      and(
        eq(streams.modelRunId, modelRunId),
        eq(streams.kind, "trial"),
        eq(streams.mlflowExperimentId, experimentId),
        isNotNull(streams.mlflowRunId),
      ),
    );
}

/** The MLflow run of a stream; null before it has one. */
export async function runIdOf(db: D1Database, streamId: number): Promise<string | null> {
  const row = await drizzle(db)
    .select({ runId: streams.mlflowRunId })
    .from(streams)
    .where(eq(streams.id, streamId))
    .get();
  return row?.runId ?? null;
}
