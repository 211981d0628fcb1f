import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { TableFields, TrialTable } from "../../answers/trial-table.ts";
import { orderOf } from "../../domain/cell-order.ts";
import { MLFLOW_STATUS } from "../../domain/run-register.ts";
import type { Column, KeyedColumn } from "../../domain/table-columns.ts";
import { nameOf } from "../../domain/table-columns.ts";
import type { TrialStatus } from "../../domain/types.ts";
import type { SyncState } from "../../domain/words.ts";
import { conditionOf } from "../../search/conditions.ts";
import type { Clause } from "../../search/filter.ts";
import { numberOf, type Source } from "../../search/source.ts";
import { saidDatasets } from "../gateway/inputs.ts";
import { iso } from "../listing/common.ts";
import { cellsOf } from "./table-cells.ts";
import { inScope, type TableScope } from "./table-scope.ts";

/** The newest of them, where there are more. */
export const MAX_TABLE_TRIALS = 5_000;

export type TableQuery = {
  scope: TableScope;
  /** In MLflow's language; they passed `checkComparators`. */
  clauses: readonly Clause[];
  spectralNorm?: boolean | undefined;
  /** Null: the newest first. */
  sort: { column: Column; descending: boolean } | null;
  columns: readonly KeyedColumn[];
  /** Whether long texts are not cut. */
  whole?: boolean | undefined;
  limit: number;
};

type Row = {
  id: number;
  key: string;
  modelRunId: string | null;
  trialId: string;
  runName: string | null;
  status: TrialStatus;
  spectralNorm: 0 | 1 | null;
  syncState: SyncState;
  startedAt: number | null;
  endedAt: number | null;
  durationMs: number | null;
  rank: number | null;
  mlflowRunId: string | null;
};

/** Trials side by side, by columns. */
export async function readTable(db: D1Database, query: TableQuery): Promise<TrialTable> {
  const found = await findRows(db, query);
  const rows = found.slice(0, MAX_TABLE_TRIALS);
  const shown = (await sorted(db, rows, query.sort)).slice(0, query.limit);
  const cells = await cellsOf(
    db,
    shown.map(({ id }) => id),
    query.columns,
    query.whole,
  );
  return {
    trials: fieldsOf(shown),
    columns: query.columns.map((column, i) => ({ name: nameOf(column), values: cells[i] ?? [] })),
    more: found.length > shown.length,
  };
}

/** All that fit, of which the sorted ones are taken, or as many as are asked for and one more. */
async function findRows(
  db: D1Database,
  { scope, clauses, spectralNorm, sort, limit }: TableQuery,
): Promise<Row[]> {
  const most = sort === null ? Math.min(limit, MAX_TABLE_TRIALS) : MAX_TABLE_TRIALS;
  const chosen = spectralNorm === undefined ? sql`true` : sql`t.spectral_norm = ${spectralNorm ? 1 : 0}`;
  return drizzle(db).all<Row>(sql`
    select t.id, t.key, t.model_run_id as modelRunId, t.trial_id as trialId, t.run_name as runName, t.status,
      t.spectral_norm as spectralNorm, ${sql.raw(SYNC_STATE)} as syncState, t.started_at as startedAt,
      t.ended_at as endedAt, t.duration_ms as durationMs, t.rank, s.mlflow_run_id as mlflowRunId
    from trials t join streams s on s.id = t.id
    where ${inScope(scope)} and ${chosen} and ${conditionOf(clauses, source)}
    order by t.id desc limit ${most + 1}`);
}

/** As `syncState` of the listing, for the alias. */
const SYNC_STATE = `case
  when s.blocked_kind is not null then 'blocked'
  when s.delivered_seq >= s.last_seq then 'synced'
  when s.waiting_for is not null then 'waiting'
  else 'pending' end`;

const STATUS = Object.entries(MLFLOW_STATUS)
  .map(([own, status]) => `when '${own}' then '${status}'`)
  .join(" ");

/** Where a filter finds what it compares: what the table shows of the trial. */
const source: Source = {
  attributes: {
    run_id: sql`coalesce(s.mlflow_run_id, t.key)`,
    run_name: sql`coalesce(t.run_name, t.trial_id)`,
    user_id: sql`'trial-relay'`,
    status: sql.raw(`case t.status ${STATUS} end`),
    artifact_uri: sql`null`,
    start_time: sql`coalesce(t.started_at, t.created_at)`,
    end_time: sql`t.ended_at`,
  },
  keyed: (kind, key) =>
    kind === "parameter"
      ? sql`(select value from params where stream_id = t.id and key = ${key})`
      : sql`(select value from tags where stream_id = t.id and key = ${key} and removed_at is null)`,
  metric: (key, ifNaN) =>
    sql`(select ${numberOf(sql`last`, ifNaN)} from metric_summaries where stream_id = t.id and key = ${key})`,
  dataset: (field, test) =>
    sql`exists (select 1 from (${saidDatasets(sql`t.id`, field)}) where ${test(sql`value`)})`,
};

async function sorted(db: D1Database, rows: readonly Row[], sort: TableQuery["sort"]): Promise<Row[]> {
  if (sort === null) return [...rows];
  const { column, descending } = sort;
  const [cells = []] =
    column.kind === "field"
      ? [fieldsOf(rows)[column.key]]
      : await cellsOf(
          db,
          rows.map(({ id }) => id),
          [column],
        );
  return orderOf(cells, descending).flatMap((place) => rows[place] ?? []);
}

function fieldsOf(rows: readonly Row[]): TableFields {
  return {
    id: rows.map(({ key }) => key),
    model_run_id: rows.map(({ modelRunId }) => modelRunId),
    trial_id: rows.map(({ trialId }) => trialId),
    run_name: rows.map(({ runName }) => runName),
    status: rows.map(({ status }) => status),
    spectral_norm: rows.map(({ spectralNorm }) => (spectralNorm === null ? null : spectralNorm === 1)),
    sync_state: rows.map(({ syncState }) => syncState),
    started_at: rows.map(({ startedAt }) => iso(startedAt)),
    ended_at: rows.map(({ endedAt }) => iso(endedAt)),
    duration_ms: rows.map(({ durationMs }) => durationMs),
    rank: rows.map(({ rank }) => rank),
    mlflow_run_id: rows.map(({ mlflowRunId }) => mlflowRunId),
  };
}

/** The public id of a trial by its trainer's two ids; null where there is none. */
export async function trialKeyOf(
  db: D1Database,
  modelRunId: string,
  trialId: string,
): Promise<string | null> {
  const row = await drizzle(db).get<{ key: string } | undefined>(
    sql`select key from trials where model_run_id = ${modelRunId} and trial_id = ${trialId}`,
  );
  return row?.key ?? null;
}
