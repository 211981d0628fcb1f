import { drizzle } from "drizzle-orm/d1";
import type { BlockedKind } from "../../domain/blocked.ts";
import { Bound } from "../sql.ts";
import { NOT_GONE } from "./runs.ts";

/** The runs that carry Thunderline's tags and belong to no trial or model run yet. */

/** A run with Thunderline's tags. */
export type Tagged = {
  runId: string;
  experimentId: string;
  trialId: string | null;
  modelRunId: string | null;
};

/** Where a trial or model run stands with its run. */
export type Claimant = {
  id: number;
  key: string;
  mlflowRunId: string | null;
  createSentAt: number | null;
  blockedKind: BlockedKind | null;
  /** The run that the trainer itself named. */
  requestedRunId: string | null;
  /** Of the run that it has. */
  lifecycleStage: "active" | "deleted" | null;
};

const NOBODYS = `r.stream_id is null and r.double_of is null and ${NOT_GONE}`;
const FREE = `${NOBODYS} and r.lifecycle_stage = 'active'`;

/** Which of these runs are there to be linked, or to be found double; the oldest first. */
export async function freeTagged(db: D1Database, runIds: readonly string[]): Promise<Tagged[]> {
  const { results } = await db.prepare(FREE_TAGGED).bind(JSON.stringify(runIds)).all<Tagged>();
  return results;
}

/** Such a run, if it is deleted. */
export async function deletedTagged(db: D1Database, runId: string): Promise<Tagged | null> {
  return db
    .prepare(DELETED_TAGGED)
    .bind(JSON.stringify([runId]))
    .first<Tagged>();
}

/** The streams with these public ids, by them. */
export async function claimants(db: D1Database, keys: readonly string[]): Promise<Map<string, Claimant>> {
  const { results } = await db.prepare(CLAIMANTS).bind(JSON.stringify(keys)).all<Claimant>();
  return new Map(results.map((row) => [row.key, row]));
}

/**
 * The oldest run in MLflow, as far as the relay knows, that carries the tags of a trial, or of a model run's parent run,
 * which has no run yet, and that nobody has; null without one.
 */
export async function unlinkedRunOf(db: D1Database, streamId: number): Promise<string | null> {
  const [{ results }] = await drizzle(db).batch([unlinkedRun(db, streamId)]);
  return results[0]?.runId ?? null;
}

/** The query for it. */
export function unlinkedRun(db: D1Database, streamId: number) {
  return new Bound<{ runId: string }>(db, UNLINKED, streamId);
}

/** Notes whose second run this is, and whether it was deleted, which settles the conflict about it. */
export async function noteDouble(
  db: D1Database,
  runId: string,
  streamId: number,
  deleted: boolean,
  now: number,
): Promise<void> {
  await db.batch([
    db
      .prepare(
        `update mlflow_runs set double_of = ?2, lifecycle_stage = iif(?3, 'deleted', lifecycle_stage)
         where mlflow_run_id = ?1 and stream_id is null`,
      )
      .bind(runId, streamId, Number(deleted)),
    ...(deleted ? [settling(db, runId, streamId, now)] : []),
  ]);
}

/** Settles the conflict about a second run of a stream, which is deleted. */
export async function settleDouble(
  db: D1Database,
  runId: string,
  streamId: number,
  now: number,
): Promise<void> {
  await settling(db, runId, streamId, now).run();
}

function settling(db: D1Database, runId: string, streamId: number, now: number): D1PreparedStatement {
  return db
    .prepare(
      `update conflicts set decision = 'relay', state = 'resolved', resolution = 'relay', resolved_at = ?3
       where stream_id = ?2 and kind = 'double_run' and field = 'mlflow_run_id' and refused = ?1 and state = 'open'`,
    )
    .bind(runId, streamId, now);
}

/** Writes down a link that the stream has and the mirror lacks: whoever made it ended between the two. */
export async function repairLink(db: D1Database, runId: string, streamId: number): Promise<void> {
  await db
    .prepare(
      `update mlflow_runs set stream_id = ?2 where mlflow_run_id = ?1 and stream_id is null
         and not exists (select 1 from mlflow_runs where stream_id = ?2)
         and exists (select 1 from streams where id = ?2 and mlflow_run_id = ?1)`,
    )
    .bind(runId, streamId)
    .run();
}

/** As in the index of those. */
const IS_TAGGED = "(r.tagged_trial_id is not null or r.tagged_model_run_id is not null)";

const TAGGED = `
  select r.mlflow_run_id as runId, r.mlflow_experiment_id as experimentId, r.tagged_trial_id as trialId,
    r.tagged_model_run_id as modelRunId
  from json_each(?1) given join mlflow_runs r on r.mlflow_run_id = given.value`;

const FREE_TAGGED = `${TAGGED} where ${IS_TAGGED} and ${FREE} order by r.start_time, r.mlflow_run_id`;

const DELETED_TAGGED = `${TAGGED} where ${IS_TAGGED} and ${NOBODYS} and r.lifecycle_stage = 'deleted'`;

const CLAIMANTS = `
  select s.id, s.key, s.mlflow_run_id as mlflowRunId, s.create_sent_at as createSentAt,
    s.blocked_kind as blockedKind, t.requested_run_id as requestedRunId, own.lifecycle_stage as lifecycleStage
  from json_each(?1) given join streams s on s.key = given.value
  left join trials t on t.id = s.id
  left join mlflow_runs own on own.mlflow_run_id = s.mlflow_run_id`;

/** By the tags, or SQLite would look at every run that is not linked. */
const UNLINKED = `
  select r.mlflow_run_id as runId
  from streams s join mlflow_runs r indexed by mlflow_runs_tagged
    on r.tagged_trial_id is s.trial_id and r.tagged_model_run_id is s.model_run_id
  where s.id = ?1 and s.mlflow_run_id is null and coalesce(s.trial_id, s.model_run_id) is not null and ${IS_TAGGED}
    and ${FREE}
  order by r.start_time, r.mlflow_run_id limit 1`;
