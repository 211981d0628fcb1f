import { eq, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { TrialSummary } from "../../answers/trials.ts";
import type { WireNumber } from "../../domain/values.ts";
import { deliveryColumns, deliveryView, iso, ownExperiment } from "../listing/common.ts";
import { metricSummaries, modelRuns, streams, trials } from "../schema/index.ts";

/** The experiment that the trial's run is in, or else the one that it was announced for. */
export const experimentName = sql<
  string | null
>`coalesce(${ownExperiment}, ${trials.experimentName}, ${modelRuns.experimentName})`;

/** When a trial last changed: while it is warm, what comes of it moves its stream's time only. */
export const changedAt = sql<number>`max(${trials.updatedAt}, iif(${trials.warm}, ${streams.updatedAt}, 0))`;

/** What every view of a trial is made of. */
const trialColumns = {
  id: trials.id,
  key: trials.key,
  modelRunId: trials.modelRunId,
  trialId: trials.trialId,
  runName: trials.runName,
  status: trials.status,
  spectralNorm: trials.spectralNorm,
  experimentName: experimentName.as("experiment"),
  ownExperiment: ownExperiment.as("own_experiment"),
  startedAt: trials.startedAt,
  endedAt: trials.endedAt,
  durationMs: trials.durationMs,
  rank: trials.rank,
  lostContactAt: trials.lostContactAt,
  createdAt: trials.createdAt,
  updatedAt: changedAt.as("changed_at"),
  acceptedAt: streams.updatedAt,
  ...deliveryColumns,
};

function selectTrials(db: D1Database) {
  return drizzle(db)
    .select(trialColumns)
    .from(trials)
    .innerJoin(streams, eq(streams.id, trials.id))
    .leftJoin(modelRuns, eq(modelRuns.modelRunId, trials.modelRunId));
}

/** The row of one trial, by its public id. */
export async function trialRow(db: D1Database, key: string) {
  return selectTrials(db).where(eq(trials.key, key)).get();
}

/** The rows of a page's trials, in any order. */
export async function trialRows(db: D1Database, ids: readonly number[]) {
  return selectTrials(db).where(sql`${trials.id} in ${oneOfAll(ids)}`);
}

/** The last values of all metrics of a page's trials, in one statement. */
export async function lastValues(db: D1Database, ids: readonly number[]) {
  const rows = await drizzle(db)
    .select({ id: metricSummaries.streamId, key: metricSummaries.key, last: metricSummaries.last })
    .from(metricSummaries)
    .where(sql`${metricSummaries.streamId} in ${oneOfAll(ids)}`);
  const byTrial = Map.groupBy(rows, (row) => row.id);
  return (id: number) =>
    Object.fromEntries((byTrial.get(id) ?? []).map(({ key, last }): [string, WireNumber] => [key, last]));
}

/** D1 binds a hundred parameters; a list of ids goes in as one JSON text instead. */
function oneOfAll(ids: readonly number[]): SQL {
  return sql`(select value from json_each(${JSON.stringify(ids)}))`;
}

/** A trial as lists show it. */
export function trialView(row: NonNullable<Awaited<ReturnType<typeof trialRow>>>): TrialSummary {
  return {
    id: row.key,
    model_run_id: row.modelRunId,
    trial_id: row.trialId,
    run_name: row.runName,
    status: row.status,
    spectral_norm: row.spectralNorm,
    ...deliveryView(row),
    experiment_name: row.experimentName,
    started_at: iso(row.startedAt),
    ended_at: iso(row.endedAt),
    duration_ms: row.durationMs,
    rank: row.rank,
    lost_contact_at: iso(row.lostContactAt),
    created_at: iso(row.createdAt),
    updated_at: iso(row.updatedAt),
  };
}
