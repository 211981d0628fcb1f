import { NOT_GONE } from "./mirror.ts";

/** Which streams a pass of the cron looks at in MLflow. */

/** `gone` is why the stream is blocked, where that is because MLflow had lost or deleted what it needs. */
export type ToPull = {
  streamId: number;
  kind: "trial" | "model_run";
  modelRunId: string | null;
  runId: string | null;
  experimentId: string | null;
  gone: string | null;
  requestedRunId: string | null;
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
  streams: readonly { streamId: number; gone: string }[],
): Promise<number[]> {
  if (streams.length === 0) return [];
  const { results } = await db.prepare(UNBLOCK).bind(JSON.stringify(streams)).all<{ id: number }>();
  return results.map((row) => row.id);
}

const IS_GONE = "s.blocked_reason like 'gone: %'";

const TO_PULL = `
  with wanted as (
    select id from trials where status = 'running' and id > ?1
    union select id from model_runs where state in ('initialized', 'running') and id > ?1
    union select stream_id from mlflow_runs where status in ('RUNNING', 'SCHEDULED') and stream_id > ?1
    union select id from streams s where ${IS_GONE} and id > ?1)
  select s.id as streamId, s.kind, s.model_run_id as modelRunId, s.mlflow_run_id as runId, s.mlflow_experiment_id as experimentId,
    iif(${IS_GONE}, s.blocked_reason, null) as gone, t.requested_run_id as requestedRunId
  from wanted join streams s on s.id = wanted.id
  left join mlflow_runs r on r.mlflow_run_id = s.mlflow_run_id
  left join trials t on t.id = s.id
  where ${IS_GONE} or (s.mlflow_run_id is not null and ${NOT_GONE})
  order by s.id limit ?2`;

const UNBLOCK = `
  update streams set blocked_reason = null, last_error = null, attempts = 0, next_attempt_at = 0,
    waiting_for = null
  where id in (
    select s.id from json_each(?1) given join streams s on s.id = given.value ->> 'streamId'
    where s.blocked_reason = given.value ->> 'gone')
  returning id`;
