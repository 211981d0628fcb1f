import { and, eq, or, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { TrialStatus } from "../../domain/types.ts";
import { type SyncState, TRIAL_STATUSES } from "../../domain/words.ts";
import { syncState } from "../listing/common.ts";
import type { Position } from "../listing/order.ts";
import { mlflowExperiments, streams, trials } from "../schema/index.ts";
import { behind as isBehind } from "../stream/warm.ts";
import { isById, type Place, partsOf, placesAmong, type TrialSort } from "./trial-order.ts";
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
  const chosen = conditions(others);
  const experiment = experiment_name === undefined ? [] : await experimentParts(db, experiment_name);
  // Parts that are in order already each, so that no more of them is read than is shown.
  if (isById(sort) && experiment.length > 0 && !isNarrow(filter))
    return placesAmong(
      db,
      chosen,
      experiment.map((which) => ({ which })),
      sort,
      after,
      limit,
      streams.id,
    );
  const own = experiment.length > 0 ? [...chosen, or(...experiment)] : chosen;
  const statuses = isNarrow(filter) ? null : filter.status === undefined ? TRIAL_STATUSES : [filter.status];
  return placesAmong(db, own, partsOf(sort, after, statuses), sort, after, limit);
}

/** Whether a filter leaves so few that an experiment's index would not help. */
function isNarrow({ model_run_id, trial_id, status, sync_state }: TrialFilter): boolean {
  const isOpen = status === "running" || (sync_state !== undefined && sync_state !== "synced");
  return model_run_id !== undefined || trial_id !== undefined || isOpen;
}

/**
 * Whose experiment has this name: trials whose run is in one that is called so now, and those that have no run yet.
 * These are always behind, so that an index has them.
 */
async function experimentParts(db: D1Database, name: string): Promise<SQL[]> {
  const known = await drizzle(db)
    .select({ id: mlflowExperiments.mlflowExperimentId })
    .from(mlflowExperiments)
    .where(eq(mlflowExperiments.name, name));
  const unplaced = sql`(${trials.id} in ${BEHIND} and ${streams.mlflowExperimentId} is null and ${experimentName} = ${name})`;
  return [...known.map(({ id }) => eq(streams.mlflowExperimentId, id)), unplaced];
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
