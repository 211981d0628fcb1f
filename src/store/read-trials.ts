import { and, eq, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { TrialStatus } from "../domain/types.ts";
import type { WireNumber } from "../domain/values.ts";
import { deliveryColumns, deliveryView, iso, type SyncState, syncState } from "./read-common.ts";
import { behind, type Order, orderTerms, type Position } from "./read-order.ts";
import { metricSummaries, modelRuns, streams, trials } from "./schema.ts";

export type TrialFilter = {
  model_run_id?: string | undefined;
  trial_id?: string | undefined;
  status?: TrialStatus | undefined;
  sync_state?: SyncState | undefined;
  spectral_norm?: boolean | undefined;
  experiment_name?: string | undefined;
};

export const SORT_COLUMNS = [
  "created_at",
  "updated_at",
  "started_at",
  "ended_at",
  "duration_ms",
  "rank",
  "trial_id",
  "status",
] as const;

/** What a list is sorted by: a column, or the last value of a metric. */
export type TrialSort = { descending: boolean } & (
  | { column: (typeof SORT_COLUMNS)[number] }
  | { metric: string }
);

/** The experiment that the trial's run is in, or else the one that it was announced for. */
const experimentName = sql<
  string | null
>`coalesce(${streams.experimentName}, ${trials.experimentName}, ${modelRuns.experimentName})`;

/** No metric has this key: a join on it costs nothing and gives no rows. */
const NO_METRIC = "";

function orderOf(sort: TrialSort): Order {
  const { descending } = sort;
  const id = trials.id;
  if ("metric" in sort)
    return {
      by: comparable(sql`${metricSummaries.last}`),
      id,
      descending,
      nullable: true,
      bind: (value) => comparable(sql`${value}`),
    };
  switch (sort.column) {
    // Ids are given in the order of creation, and the list by id needs no sorting.
    case "created_at":
      return { by: id, id, descending, nullable: false };
    case "updated_at":
      return { by: trials.updatedAt, id, descending, nullable: false };
    case "trial_id":
      return { by: trials.trialId, id, descending, nullable: false };
    case "status":
      return { by: trials.status, id, descending, nullable: false };
    case "started_at":
      return { by: trials.startedAt, id, descending, nullable: true };
    case "ended_at":
      return { by: trials.endedAt, id, descending, nullable: true };
    case "duration_ms":
      return { by: trials.durationMs, id, descending, nullable: true };
    case "rank":
      return { by: trials.rank, id, descending, nullable: true };
  }
}

/** A stored metric value as a number that sorts; NaN has no place among numbers. SQLite reads 9e999 as infinity. */
function comparable(value: SQL): SQL {
  return sql`case ${value} when 'NaN' then null when 'Infinity' then 9e999 when '-Infinity' then -9e999 else ${value} end`;
}

const trialColumns = {
  id: trials.id,
  key: trials.key,
  modelRunId: trials.modelRunId,
  trialId: trials.trialId,
  runName: trials.runName,
  status: trials.status,
  spectralNorm: trials.spectralNorm,
  experimentName: experimentName.as("experiment"),
  ownExperiment: streams.experimentName,
  startedAt: trials.startedAt,
  endedAt: trials.endedAt,
  durationMs: trials.durationMs,
  rank: trials.rank,
  createdAt: trials.createdAt,
  updatedAt: trials.updatedAt,
  acceptedAt: streams.updatedAt,
  ...deliveryColumns,
};

/** A page of trials and one more, to tell whether there is a next page. */
export async function listTrials(
  db: D1Database,
  filter: TrialFilter,
  sort: TrialSort,
  after: Position | null,
  limit: number,
) {
  const order = orderOf(sort);
  const metric = "metric" in sort ? sort.metric : NO_METRIC;
  const rows = await drizzle(db)
    .select({
      ...trialColumns,
      // The stored form: an infinity would not survive the way out of the database.
      sortValue: sql<WireNumber | null>`${"metric" in sort ? metricSummaries.last : order.by}`.as(
        "sort_value",
      ),
    })
    .from(trials)
    .innerJoin(streams, eq(streams.id, trials.id))
    .leftJoin(modelRuns, eq(modelRuns.modelRunId, trials.modelRunId))
    .leftJoin(metricSummaries, and(eq(metricSummaries.streamId, trials.id), eq(metricSummaries.key, metric)))
    .where(and(...conditions(filter), behind(order, after)))
    .orderBy(orderTerms(order))
    .limit(limit + 1);
  const metricsOf = await lastValues(
    db,
    rows.slice(0, limit).map((row) => row.id),
  );
  return rows.map((row) => ({
    ...trialView(row),
    metrics: metricsOf(row.id),
    position: { value: metric !== NO_METRIC && row.sortValue === "NaN" ? null : row.sortValue, id: row.id },
  }));
}

function conditions(filter: TrialFilter) {
  const given = <T>(value: T | undefined, condition: (value: T) => SQL) =>
    value === undefined ? undefined : condition(value);
  return [
    given(filter.model_run_id, (id) => eq(trials.modelRunId, id)),
    given(filter.trial_id, (id) => eq(trials.trialId, id)),
    given(filter.status, (status) => eq(trials.status, status)),
    given(filter.sync_state, (state) => eq(syncState, state)),
    given(filter.spectral_norm, (flag) => eq(trials.spectralNorm, flag)),
    given(filter.experiment_name, (name) => eq(experimentName, name)),
  ];
}

/** The row of one trial, by its public id. */
export async function trialRow(db: D1Database, key: string) {
  return drizzle(db)
    .select(trialColumns)
    .from(trials)
    .innerJoin(streams, eq(streams.id, trials.id))
    .leftJoin(modelRuns, eq(modelRuns.modelRunId, trials.modelRunId))
    .where(eq(trials.key, key))
    .get();
}

/** The last values of all metrics of a page's trials, in one statement. */
async function lastValues(db: D1Database, ids: readonly number[]) {
  const rows = await drizzle(db)
    .select({ id: metricSummaries.streamId, key: metricSummaries.key, last: metricSummaries.last })
    .from(metricSummaries)
    .where(sql`${metricSummaries.streamId} in (select value from json_each(${JSON.stringify(ids)}))`);
  const byTrial = Map.groupBy(rows, (row) => row.id);
  return (id: number) =>
    Object.fromEntries((byTrial.get(id) ?? []).map(({ key, last }): [string, WireNumber] => [key, last]));
}

/** A trial as lists show it. */
export function trialView(row: NonNullable<Awaited<ReturnType<typeof trialRow>>>) {
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
    created_at: iso(row.createdAt),
    updated_at: iso(row.updatedAt),
  };
}
