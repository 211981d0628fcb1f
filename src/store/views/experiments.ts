import { desc, eq, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Experiment, ExperimentListed, RunCounts } from "../../answers/mirror.ts";
import { iso } from "../listing/common.ts";
import { behind, type Order, orderTerms, type Position } from "../listing/order.ts";
import { readExperimentTags, readFormerNames } from "../mirror/experiments.ts";
import { mlflowExperiments, modelRuns, runCounts } from "../schema/index.ts";

/** How many of an experiment's model runs are shown with it. */
const MAX_MODEL_RUNS = 100;

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

/** One experiment by MLflow's id with everything that is known of it, or null. */
export async function readExperiment(db: D1Database, experimentId: string): Promise<Experiment | null> {
  const row = await drizzle(db)
    .select()
    .from(mlflowExperiments)
    .where(eq(mlflowExperiments.mlflowExperimentId, experimentId))
    .get();
  if (!row) return null;
  const [runsOf, own] = await Promise.all([countRuns(db, [experimentId]), modelRunsIn(db, experimentId)]);
  return {
    ...experimentView(row),
    runs: runsOf(experimentId),
    tags: readExperimentTags(row.tags),
    former_names: readFormerNames(row.formerNames),
    creation_time: iso(row.createdTime),
    last_update_time: iso(row.updatedTime),
    model_runs: own,
  };
}

/**
 * The model runs that have runs in an experiment, their own or their trials'; the latest. Their names are looked up one
 * behind the other, so that no more is read for one with many trials.
 */
async function modelRunsIn(db: D1Database, experimentId: string) {
  const next = (which: SQL) => sql`(select min(s.model_run_id) from streams s
    where s.mlflow_experiment_id = ${experimentId} and ${which})`;
  const inIt = sql`(
    with recursive its(id) as (
      select ${next(sql`s.model_run_id is not null`)}
      union all
      select ${next(sql`s.model_run_id > its.id`)} from its where its.id is not null)
    select id from its where id is not null)`;
  const rows = await drizzle(db)
    .select({ model_run_id: modelRuns.modelRunId, run_name: modelRuns.runName, state: modelRuns.state })
    .from(modelRuns)
    .where(sql`${modelRuns.modelRunId} in ${inIt}`)
    .orderBy(desc(modelRuns.id))
    .limit(MAX_MODEL_RUNS);
  return rows;
}

function experimentView(row: typeof mlflowExperiments.$inferSelect): Omit<ExperimentListed, "runs"> {
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
    .select()
    .from(runCounts)
    .where(
      sql`${runCounts.mlflowExperimentId} in (select value from json_each(${JSON.stringify(experimentIds)}))`,
    );
  const byExperiment = Map.groupBy(groups, (group) => group.mlflowExperimentId);
  return (experimentId: string): RunCounts => {
    const counts = { total: 0, by_status: { RUNNING: 0, SCHEDULED: 0, FINISHED: 0, FAILED: 0, KILLED: 0 } };
    for (const { status, value } of byExperiment.get(experimentId) ?? []) {
      counts.total += value;
      counts.by_status[status] += value;
    }
    return counts;
  };
}
