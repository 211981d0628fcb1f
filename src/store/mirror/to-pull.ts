import type { GoneKind } from "../../domain/blocked.ts";
import { IS_GONE, UNBLOCK_AFRESH } from "../delivery/blocked.ts";
import { NOT_GONE } from "./runs.ts";

/** Which streams a pass of the cron looks at in MLflow. */

/** `goneKind` and `goneOn` say what MLflow had lost or deleted, where the stream is blocked because of that. */
export type ToPull = {
  streamId: number;
  kind: "trial" | "model_run";
  modelRunId: string | null;
  runId: string | null;
  experimentId: string | null;
  goneKind: GoneKind | null;
  goneOn: string | null;
};

/**
 * Streams whose run has not ended on both sides, and those that stand still because something was deleted in MLflow,
 * after one of them in order of id. A run that MLflow has lost for good is not looked for again.
 */
export async function streamsToPull(db: D1Database, afterId: number, limit: number): Promise<ToPull[]> {
  const { results } = await db.prepare(TO_PULL).bind(afterId, limit).all<ToPull>();
  return results;
}

/** Has blocked streams go on, unless their state has changed or somebody has them in hand; which. */
export async function unblockRestored(
  db: D1Database,
  streams: readonly Pick<ToPull, "streamId" | "goneKind" | "goneOn">[],
): Promise<number[]> {
  if (streams.length === 0) return [];
  const { results } = await db.prepare(FREE).bind(JSON.stringify(streams)).all<{ id: number }>();
  return results.map((row) => row.id);
}

const TO_PULL = `
  with chosen as (
    select id from trials where status = 'running' and id > ?1
    union select id from model_runs where state in ('initialized', 'running') and id > ?1
    union select stream_id from mlflow_runs where status in ('RUNNING', 'SCHEDULED') and stream_id > ?1
    union select id from streams where ${IS_GONE} and id > ?1)
  select s.id as streamId, s.kind, s.model_run_id as modelRunId, s.mlflow_run_id as runId, s.mlflow_experiment_id as experimentId,
    iif(${IS_GONE}, s.blocked_kind, null) as goneKind, iif(${IS_GONE}, s.blocked_on, null) as goneOn
  from chosen join streams s on s.id = chosen.id
  left join mlflow_runs r on r.mlflow_run_id = s.mlflow_run_id
  where ${IS_GONE} or (s.mlflow_run_id is not null and ${NOT_GONE})
  order by s.id limit ?2`;

const FREE = `
  update streams set ${UNBLOCK_AFRESH}
  where id in (
    select s.id from json_each(?1) given join streams s on s.id = given.value ->> 'streamId'
    where s.blocked_kind = given.value ->> 'goneKind' and s.blocked_on is given.value ->> 'goneOn')
  returning id`;
