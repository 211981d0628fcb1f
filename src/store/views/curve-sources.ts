import type { TrialStatus } from "../../domain/types.ts";
import type { RunStatus } from "../../domain/words.ts";
import { CHUNKS_OF_SPAN } from "../journal/chunks.ts";

/** Whose curves are drawn. */

export type TrialSource = {
  streamId: number;
  id: string;
  modelRunId: string | null;
  trialId: string;
  runName: string | null;
  status: TrialStatus;
  spectralNorm: boolean | null;
  mlflowRunId: string | null;
  /** Epoch milliseconds: relative time counts from here. */
  origin: number;
  lastSeq: number;
  /** There may be metrics of an end that have no step yet. */
  hasFinals: boolean;
  /** Events up to here may have no points here any more, which MLflow was seen to have. */
  prunedSeq: number;
};

type Row = Omit<TrialSource, "spectralNorm" | "hasFinals"> & {
  spectralNorm: 0 | 1 | null;
  hasFinals: 0 | 1;
};

/** The trials with these public ids; those that are none are left out. */
export async function trialSources(db: D1Database, ids: readonly string[]): Promise<TrialSource[]> {
  const { results } = await db.prepare(TRIALS).bind(JSON.stringify(ids)).all<Row>();
  return results.map((row) => ({
    ...row,
    spectralNorm: row.spectralNorm === null ? null : row.spectralNorm === 1,
    hasFinals: row.hasFinals === 1,
  }));
}

/**
 * The names of all metrics of some trials, those of events that are not folded yet too, and of some runs as far as they
 * were pulled; and how many have each.
 */
export async function curveKeys(
  db: D1Database,
  streamIds: readonly number[],
  runIds: readonly string[],
  limit: number,
): Promise<{ key: string; sources: number }[]> {
  const statement = db.prepare(KEYS).bind(JSON.stringify(streamIds), JSON.stringify(runIds), limit);
  return (await statement.all<{ key: string; sources: number }>()).results;
}

/** The time of the first point of the stream `s`, which is in the first chunk of one of its metrics. */
const FIRST_TIME = `
  with recursive span (id, after, upto) as (select s.id, 0, s.last_seq), ${CHUNKS_OF_SPAN}
  select c.points ->> '$[0][3]' from key_of k join metric_chunks c on c.stream_id = k.id and c.key = k.key
    and c.seq = (select min(f.seq) from metric_chunks f where f.stream_id = k.id and f.key = k.key)
  order by c.first_seq, c.points ->> '$[0][1]' limit 1`;

/** A trial that is not folded yet has its first point for its start. */
const TRIALS = `
  select s.id as streamId, s.key as id, s.model_run_id as modelRunId, s.trial_id as trialId,
    t.run_name as runName, coalesce(t.status, 'running') as status, t.spectral_norm as spectralNorm,
    s.mlflow_run_id as mlflowRunId,
    coalesce(t.started_at, (${FIRST_TIME}), s.created_at) as origin,
    s.last_seq as lastSeq, s.planned_seq < s.last_seq as hasFinals,
    max(s.pruned_seq, coalesce(s.pruning_seq, 0)) as prunedSeq
  from json_each(?1) asked
  join streams s on s.key = asked.value and s.kind = 'trial'
  left join trials t on t.id = s.id
  order by asked.key`;

/** Cross joins: for the sake of "union" SQLite would otherwise walk all events, which an index has in order. */
const KEYS = `
  with recursive mine(id, folded_seq, last_seq) as materialized (
    select s.id, s.folded_seq, s.last_seq from json_each(?1) asked join streams s on s.id = asked.value),
  span (id, after, upto) as (select id, folded_seq, last_seq from mine where folded_seq < last_seq),
  ${CHUNKS_OF_SPAN},
  named(id, key) as (
    select m.stream_id, m.key from mine cross join metric_summaries m on m.stream_id = mine.id
    union
    select k.id, k.key from key_of k
    where exists (select 1 from metric_chunks c where c.stream_id = k.id and c.key = k.key and c.seq > k.after)
    union
    select e.stream_id, final.key
    from mine cross join events e on e.stream_id = mine.id and e.seq > mine.folded_seq
    cross join json_each(e.facts, '$.finals') final
    union
    select r.mlflow_run_id, metric.key
    from json_each(?2) asked cross join mlflow_runs r on r.mlflow_run_id = asked.value
    cross join json_each(r.data, '$.metrics') metric)
  select key, count(*) as sources from named group by key order by key limit ?3`;

/** A run that only the mirror has. `origin` in epoch milliseconds; null where MLflow knows no start. */
export type RunSource = {
  runId: string;
  /** The public id of the trial that it belongs to. */
  trial: string | null;
  runName: string | null;
  status: RunStatus;
  origin: number;
  syncedAt: number;
};

/** The runs of MLflow with these ids that the relay knows; those that it does not know are left out. */
export async function runSources(db: D1Database, ids: readonly string[]): Promise<RunSource[]> {
  return (await db.prepare(RUNS).bind(JSON.stringify(ids)).all<RunSource>()).results;
}

const RUNS = `
  select r.mlflow_run_id as runId, iif(s.kind = 'trial', s.key, null) as trial, r.run_name as runName,
    r.status, coalesce(r.start_time, r.synced_at) as origin, r.synced_at as syncedAt
  from json_each(?1) asked
  join mlflow_runs r on r.mlflow_run_id = asked.value
  left join streams s on s.id = r.stream_id
  order by asked.key`;
