import type { TrialStatus } from "../../domain/types.ts";
import type { RunStatus } from "../../domain/words.ts";

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

/** A trial that is not folded yet has its first point for its start. */
const TRIALS = `
  select s.id as streamId, s.key as id, s.model_run_id as modelRunId, s.trial_id as trialId,
    t.run_name as runName, coalesce(t.status, 'running') as status, t.spectral_norm as spectralNorm,
    s.mlflow_run_id as mlflowRunId,
    coalesce(t.started_at,
      (select p.timestamp from metric_points p where p.stream_id = s.id order by p.seq, p.n limit 1),
      s.created_at) as origin,
    s.last_seq as lastSeq, s.planned_seq < s.last_seq as hasFinals,
    max(s.pruned_seq, coalesce(s.pruning_seq, 0)) as prunedSeq
  from json_each(?1) wanted
  join streams s on s.key = wanted.value and s.kind = 'trial'
  left join trials t on t.id = s.id
  order by wanted.key`;

/** What is not folded yet is little: folding waits for nobody. */
const MAX_UNFOLDED_POINTS = 5_000;

const KEYS = `
  with mine(id, folded_seq) as (
    select s.id, s.folded_seq from json_each(?1) wanted join streams s on s.id = wanted.value),
  named(id, key) as (
    select m.stream_id, m.key from mine join metric_summaries m on m.stream_id = mine.id
    union
    select stream_id, key from (
      select p.stream_id, p.key from mine join metric_points p on p.stream_id = mine.id and p.seq > mine.folded_seq
      limit ${MAX_UNFOLDED_POINTS})
    union
    select e.stream_id, final.key
    from mine join events e on e.stream_id = mine.id and e.seq > mine.folded_seq
    join json_each(e.facts, '$.finals') final
    union
    select r.mlflow_run_id, metric.key
    from json_each(?2) wanted join mlflow_runs r on r.mlflow_run_id = wanted.value
    join json_each(r.data, '$.metrics') metric)
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
  from json_each(?1) wanted
  join mlflow_runs r on r.mlflow_run_id = wanted.value
  left join streams s on s.id = r.stream_id
  order by wanted.key`;
