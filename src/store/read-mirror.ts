import { and, eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { iso } from "./read-common.ts";
import { behind, type Order, orderTerms, type Position } from "./read-order.ts";
import { mlflowExperiments, mlflowRuns, streams } from "./schema.ts";

export const RUN_STATUSES = mlflowRuns.status.enumValues;

const byName: Order = {
  by: mlflowExperiments.name,
  id: mlflowExperiments.mlflowExperimentId,
  descending: false,
  nullable: false,
};

/** A page of the experiments that the relay knows of, by name, and one more. */
export async function listExperiments(db: D1Database, after: Position | null, limit: number) {
  const rows = await drizzle(db)
    .select()
    .from(mlflowExperiments)
    .where(behind(byName, after))
    .orderBy(orderTerms(byName))
    .limit(limit + 1);
  const runsOf = await countRuns(
    db,
    rows.map((row) => row.mlflowExperimentId),
  );
  return rows.map((row) => ({
    ...experimentView(row),
    runs: runsOf(row.mlflowExperimentId),
    position: { value: row.name, id: row.mlflowExperimentId },
  }));
}

/** One experiment by MLflow's id, or null. */
export async function readExperiment(db: D1Database, experimentId: string) {
  const row = await drizzle(db)
    .select()
    .from(mlflowExperiments)
    .where(eq(mlflowExperiments.mlflowExperimentId, experimentId))
    .get();
  if (!row) return null;
  const runsOf = await countRuns(db, [experimentId]);
  return { ...experimentView(row), runs: runsOf(experimentId) };
}

function experimentView(row: typeof mlflowExperiments.$inferSelect) {
  return {
    mlflow_experiment_id: row.mlflowExperimentId,
    name: row.name,
    artifact_location: row.artifactLocation,
    lifecycle_stage: row.lifecycleStage,
    synced_at: iso(row.syncedAt),
  };
}

/** How many runs of each status some experiments hold, as far as the relay knows. */
async function countRuns(db: D1Database, experimentIds: readonly string[]) {
  const groups = await drizzle(db)
    .select({
      experimentId: mlflowRuns.mlflowExperimentId,
      status: mlflowRuns.status,
      count: sql<number>`count(*)`,
    })
    .from(mlflowRuns)
    .where(
      sql`${mlflowRuns.mlflowExperimentId} in (select value from json_each(${JSON.stringify(experimentIds)}))`,
    )
    .groupBy(mlflowRuns.mlflowExperimentId, mlflowRuns.status);
  const byExperiment = Map.groupBy(groups, (group) => group.experimentId);
  return (experimentId: string) => {
    const own = byExperiment.get(experimentId) ?? [];
    return {
      total: own.reduce((sum, group) => sum + group.count, 0),
      by_status: Object.fromEntries(
        RUN_STATUSES.map((status) => [status, own.find((group) => group.status === status)?.count ?? 0]),
      ),
    };
  };
}

export type RunFilter = {
  experiment_id?: string | undefined;
  status?: (typeof RUN_STATUSES)[number] | undefined;
};

const newest: Order = {
  by: mlflowRuns.startTime,
  id: mlflowRuns.mlflowRunId,
  descending: true,
  nullable: true,
};

/** A page of the MLflow runs that the relay knows of, latest start first, and one more. */
export async function listRuns(db: D1Database, filter: RunFilter, after: Position | null, limit: number) {
  const rows = await linkedRuns(db)
    .where(
      and(
        filter.experiment_id === undefined
          ? undefined
          : eq(mlflowRuns.mlflowExperimentId, filter.experiment_id),
        filter.status === undefined ? undefined : eq(mlflowRuns.status, filter.status),
        behind(newest, after),
      ),
    )
    .orderBy(orderTerms(newest))
    .limit(limit + 1);
  return rows.map((row) => ({
    ...runView(row),
    position: { value: row.run.startTime, id: row.run.mlflowRunId },
  }));
}

/** One run by MLflow's id, with the trial or model run that it belongs to; or null. */
export async function readRun(db: D1Database, runId: string) {
  const row = await linkedRuns(db).where(eq(mlflowRuns.mlflowRunId, runId)).get();
  return row ? runView(row) : null;
}

function linkedRuns(db: D1Database) {
  return drizzle(db)
    .select({
      run: mlflowRuns,
      owner: {
        key: streams.key,
        kind: streams.kind,
        modelRunId: streams.modelRunId,
        trialId: streams.trialId,
      },
    })
    .from(mlflowRuns)
    .leftJoin(streams, eq(streams.id, mlflowRuns.streamId));
}

function runView({ run, owner }: Awaited<ReturnType<typeof linkedRuns>>[number]) {
  return {
    mlflow_run_id: run.mlflowRunId,
    mlflow_experiment_id: run.mlflowExperimentId,
    run_name: run.runName,
    status: run.status,
    start_time: iso(run.startTime),
    end_time: iso(run.endTime),
    lifecycle_stage: run.lifecycleStage,
    artifact_uri: run.artifactUri,
    synced_at: iso(run.syncedAt),
    trial:
      owner?.kind === "trial"
        ? { id: owner.key, model_run_id: owner.modelRunId, trial_id: owner.trialId }
        : null,
    model_run: owner?.kind === "model_run" ? { model_run_id: owner.modelRunId } : null,
  };
}
