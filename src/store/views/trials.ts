import { and, count, eq, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import type { TrialStatus } from "../../domain/types.ts";
import { type SyncState, TRIAL_STATUSES } from "../../domain/words.ts";
import { syncState } from "../listing/common.ts";
import type { Position } from "../listing/order.ts";
import { mlflowExperiments, streams, trials } from "../schema/index.ts";
import { behind as isBehind } from "../stream/warm.ts";
import {
  asOnePart,
  isById,
  type Part,
  type Place,
  partsOf,
  placesAmong,
  type TrialSort,
} from "./trial-order.ts";
import { experimentName, lastValues, trialRows, trialView } from "./trial-rows.ts";

export type TrialFilter = {
  model_run_id?: string | undefined;
  trial_id?: string | undefined;
  status?: TrialStatus | undefined;
  sync_state?: SyncState | undefined;
  spectral_norm?: boolean | undefined;
  experiment_name?: string | undefined;
};

/** Sub-queries over the indices of the few streams that are not over. */
const BEHIND = sql.raw(`(select id from streams where ${isBehind()})`);
const BLOCKED = sql.raw("(select id from streams where blocked_kind is not null)");
const FEW: Record<SyncState, SQL | undefined> = {
  pending: sql`${trials.id} in ${BEHIND}`,
  waiting: sql`${trials.id} in ${BEHIND}`,
  blocked: sql`${trials.id} in ${BLOCKED}`,
  synced: undefined,
};

/** A page of trials and one more, to tell whether there is a next page. */
export async function listTrials(
  db: D1Database,
  filter: TrialFilter,
  sort: TrialSort,
  after: Position | null,
  limit: number,
) {
  const page = await findPage(db, filter, sort, after, limit + 1);
  const ids = page.map((place) => place.id);
  const [rows, metricsOf] = await Promise.all([trialRows(db, ids), lastValues(db, ids)]);
  const byId = new Map(rows.map((row) => [row.id, row]));
  return page.flatMap(({ id, value }) => {
    const row = byId.get(id);
    return row ? [{ ...trialView(row), metrics: metricsOf(id), position: { value, id } }] : [];
  });
}

/** Which trials are on a page. */
async function findPage(
  db: D1Database,
  filter: TrialFilter,
  sort: TrialSort,
  after: Position | null,
  limit: number,
): Promise<Place[]> {
  const { experiment_name, ...others } = filter;
  const { status } = filter;
  const page = (which: SQL[], parts: readonly Part[], id?: SQLiteColumn) =>
    placesAmong(db, [...conditions(others), ...which], parts, sort, after, limit, id);
  const inOrder = partsOf(sort, after, status === undefined ? TRIAL_STATUSES : [status]);
  if (experiment_name === undefined) return page([], isNarrow(filter) ? asOnePart(sort) : inOrder);
  const unplaced = unplacedIn(experiment_name);
  const isIn = sql`(${streams.mlflowExperimentId} in ${idsOf(experiment_name)} or ${unplaced})`;
  if (isNarrow(filter)) return page([isIn], asOnePart(sort));
  const { ids, few } = await lookInto(db, experiment_name, status);
  if (few !== null) return page([isIn, few], asOnePart(sort));
  if (!isById(sort)) return page([isIn], inOrder);
  // Parts that are in order already each, so that no more of them is read than is shown: one index has an experiment's
  // trials in order, another has them so status by status.
  const { mlflowExperimentId, id } = status === undefined ? streams : trials;
  const placed = ids.map((each) => ({ which: eq(mlflowExperimentId, each) }));
  return page([], [...placed, { which: unplaced }], id);
}

/** Whether a filter leaves so few that an experiment's index would not help. */
function isNarrow({ model_run_id, trial_id, status, sync_state }: TrialFilter): boolean {
  const isOpen = status === "running" || (sync_state !== undefined && sync_state !== "synced");
  return model_run_id !== undefined || trial_id !== undefined || isOpen;
}

/** The experiments that are called so now. */
const idsOf = (name: string) =>
  sql`(select mlflow_experiment_id from mlflow_experiments where name = ${name})`;

/** Trials for such an experiment that have no run yet: these are always behind, so that an index has them. */
const unplacedIn = (name: string) =>
  sql`(${trials.id} in ${BEHIND} and ${streams.mlflowExperimentId} is null and ${experimentName} = ${name})`;

/** Of so many trials all are read and sorted, whatever they are sorted by. */
const FEW_TRIALS = 1_000;

/** The ids of such experiments; and which trials of one status, or any, are theirs or may be, where these are few. */
async function lookInto(db: D1Database, name: string, status: TrialStatus | undefined) {
  const ofStatus = status === undefined ? sql`` : sql`and status = ${status}`;
  const its = sql`select id from trials where mlflow_experiment_id in ${idsOf(name)} ${ofStatus}`;
  const orm = drizzle(db);
  const [known, [counted]] = await orm.batch([
    orm
      .select({ id: mlflowExperiments.mlflowExperimentId })
      .from(mlflowExperiments)
      .where(eq(mlflowExperiments.name, name)),
    orm.select({ n: count() }).from(sql`(${its} limit ${FEW_TRIALS + 1})`),
  ]);
  return {
    ids: known.map(({ id }) => id),
    few:
      counted !== undefined && counted.n <= FEW_TRIALS
        ? sql`${trials.id} in (${its} union all select id from ${BEHIND})`
        : null,
  };
}

function conditions(filter: Omit<TrialFilter, "experiment_name">) {
  const given = <T>(value: T | undefined, condition: (value: T) => SQL | undefined) =>
    value === undefined ? undefined : condition(value);
  return [
    given(filter.model_run_id, (id) => eq(trials.modelRunId, id)),
    given(filter.trial_id, (id) => eq(trials.trialId, id)),
    // Of one model run those that are over are found among its own, not among all that ever ended so.
    given(filter.status, (status) =>
      filter.model_run_id !== undefined && status !== "running"
        ? sql`+${trials.status} = ${status}`
        : eq(trials.status, status),
    ),
    given(filter.sync_state, (state) => and(eq(syncState, state), FEW[state])),
    given(filter.spectral_norm, (flag) => eq(trials.spectralNorm, flag)),
  ];
}
