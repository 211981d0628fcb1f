import { and, eq, or, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import type { ModelRun, ModelRunListed } from "../../answers/model-runs.ts";
import { type Core, endOf, fieldOf } from "../../domain/core.ts";
import { isMap } from "../../domain/flatten.ts";
import type { Json } from "../../domain/types.ts";
import type { WireNumber } from "../../domain/values.ts";
import type { ModelRunState } from "../../domain/words.ts";
import { modelRunState } from "../journal/folded-rows.ts";
import { countsOf, deliveryColumns, deliveryView, iso, ownExperiment } from "../listing/common.ts";
import { behind, comparable, type Order, orderTerms, type Position } from "../listing/order.ts";
import { modelRuns, streams } from "../schema/index.ts";
import { readState, stateView } from "./state.ts";
import { countTrials } from "./trial-counts.ts";

const columns = {
  id: modelRuns.id,
  modelRunId: modelRuns.modelRunId,
  state: modelRuns.state,
  runName: modelRuns.runName,
  experimentName: sql<string | null>`coalesce(${ownExperiment}, ${modelRuns.experimentName})`.as(
    "experiment",
  ),
  ownExperiment: ownExperiment.as("own_experiment"),
  requestedTrials: modelRuns.requestedTrials,
  completedTrials: modelRuns.completedTrials,
  searchSpaceVersion: modelRuns.searchSpaceVersion,
  maxParams: modelRuns.maxParams,
  bestMetric: modelRuns.bestMetric,
  bestTrialId: modelRuns.bestTrialId,
  startedAt: modelRuns.startedAt,
  endedAt: modelRuns.endedAt,
  createdAt: modelRuns.createdAt,
  updatedAt: modelRuns.updatedAt,
  acceptedAt: streams.updatedAt,
  ...deliveryColumns,
};

export const MODEL_RUN_SORTS = ["created_at", "updated_at", "model_run_id", "best_metric"] as const;

export type ModelRunSort = { column: (typeof MODEL_RUN_SORTS)[number]; descending: boolean };

const bestMetric = sql`${modelRuns.bestMetric}`;
const SORTED_BY: Record<ModelRunSort["column"], Pick<Order, "by" | "nullable" | "bind">> = {
  // Ids are given in the order of creation.
  created_at: { by: modelRuns.id, nullable: false },
  updated_at: { by: modelRuns.updatedAt, nullable: false },
  model_run_id: { by: modelRuns.modelRunId, nullable: false },
  best_metric: { by: comparable(bestMetric), nullable: true, bind: (value) => comparable(sql`${value}`) },
};

/** The few that are not over, by their own index: written out as there, or it would not be used. */
const OPEN = sql.raw("(select id from model_runs where state in ('initialized', 'running'))");

/** As in the index of those. */
const FAILED = sql.raw("model_runs.state in ('failed', 'cancelled')");

export type ModelRunFilter = {
  state?: ModelRunState | undefined;
  /** A part of its id or its name. */
  search?: string | undefined;
};

/** A page of model runs, and one more to tell whether there is a next page. */
export async function listModelRuns(
  db: D1Database,
  { state, search }: ModelRunFilter,
  { column, descending }: ModelRunSort,
  after: Position | null,
  limit: number,
) {
  const order = { ...SORTED_BY[column], id: modelRuns.id, descending };
  // The stored form: an infinity would not survive the way out of the database.
  const value = sql<WireNumber>`${column === "best_metric" ? bestMetric : order.by}`;
  const rows = await drizzle(db)
    .select({ ...columns, sortValue: value.as("sort_value") })
    .from(modelRuns)
    .innerJoin(streams, eq(streams.id, modelRuns.id))
    .where(
      and(
        state === undefined ? undefined : eq(modelRuns.state, state),
        state === "initialized" || state === "running" ? sql`${modelRuns.id} in ${OPEN}` : undefined,
        state === "failed" || state === "cancelled" ? FAILED : undefined,
        search === undefined
          ? undefined
          : or(has(modelRuns.modelRunId, search), has(modelRuns.runName, search)),
        behind(order, after),
      ),
    )
    .orderBy(orderTerms(order))
    .limit(limit + 1);
  return rows.map(({ sortValue, ...row }) => ({
    ...modelRunView(row),
    position: { value: sortValue === "NaN" ? null : sortValue, id: row.id },
  }));
}

function has(column: SQLiteColumn, part: string): SQL {
  return sql`instr(lower(${column}), lower(${part})) > 0`;
}

async function modelRunRow(db: D1Database, modelRunId: string) {
  return drizzle(db)
    .select(columns)
    .from(modelRuns)
    .innerJoin(streams, eq(streams.id, modelRuns.id))
    .where(eq(modelRuns.modelRunId, modelRunId))
    .get();
}

function modelRunView(row: NonNullable<Awaited<ReturnType<typeof modelRunRow>>>): ModelRunListed {
  return {
    model_run_id: row.modelRunId,
    state: row.state,
    run_name: row.runName,
    experiment_name: row.experimentName,
    requested_trials: row.requestedTrials,
    completed_trials: row.completedTrials,
    search_space_version: row.searchSpaceVersion,
    max_params: row.maxParams,
    best_metric: row.bestMetric,
    best_trial_id: row.bestTrialId,
    ...deliveryView(row),
    started_at: iso(row.startedAt),
    ended_at: iso(row.endedAt),
    created_at: iso(row.createdAt),
    updated_at: iso(row.updatedAt),
  };
}

/** Everything of one model run, by the trainer's id, and how its trials fare; null when there is none. */
export async function readModelRun(db: D1Database, modelRunId: string): Promise<ModelRun | null> {
  const row = await modelRunRow(db, modelRunId);
  if (!row) return null;
  const [{ state, ahead, unreadable }, counts, trialCounts] = await Promise.all([
    readState(db, { id: row.id, kind: "model_run" }),
    countsOf(db, row.id),
    countTrials(db, modelRunId),
  ]);
  return {
    ...modelRunView({ ...row, updatedAt: ahead ? row.acceptedAt : row.updatedAt }),
    ...(unreadable?.part === "record" ? { metadata: {} } : foldedView(state.core, row.ownExperiment)),
    ...stateView(state),
    unreadable,
    trials: trialCounts,
    counts,
  };
}

/** What the list shows of the fold, with the events that are not in its rows yet. */
function foldedView(core: Core, ownExperiment: string | null) {
  const text = (value: Json) => (typeof value === "string" ? value : null);
  const number = (value: Json) => (typeof value === "number" ? value : null);
  const field = (name: string) => fieldOf(core, name);
  const [best, metadata] = [field("best_metric"), field("metadata")];
  return {
    state: modelRunState(core),
    run_name: text(field("run_name")),
    experiment_name: ownExperiment ?? text(field("experiment_name")),
    requested_trials: number(field("requested_trials")),
    completed_trials: number(field("completed_trials")),
    search_space_version: number(field("search_space_version")),
    max_params: number(field("max_params")),
    best_metric: number(best) ?? text(best),
    best_trial_id: text(field("best_trial_id")),
    started_at: iso(core.startedAt),
    ended_at: iso(endOf(core)),
    metadata: isMap(metadata) ? metadata : {},
  };
}
