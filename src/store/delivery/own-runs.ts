import type { LifecycleStage, RunInfo } from "../../mlflow/types.ts";
import { Bound, heldBy } from "../sql.ts";
import type { Lease } from "../stream/leases.ts";

/** Runs that the relay made, those of the latest streams, and that are active as far as it knows. */
export async function ownRuns(db: D1Database, most: number): Promise<string[]> {
  const { results } = await db
    .prepare(
      `select r.mlflow_run_id as id from mlflow_runs r join streams s on s.id = r.stream_id
       where r.stream_id is not null and r.lifecycle_stage = 'active' and s.adopted = 0 and s.blocked_kind is null
       order by r.stream_id desc limit ?1`,
    )
    .bind(most)
    .all<{ id: string }>();
  return results.map(({ id }) => id);
}

/** Whether a stream other than this one has a run, which may be named by the id that an MLflow client knows it by. */
export async function isRunOfAnother(db: D1Database, runId: string, streamId: number): Promise<boolean> {
  const query = "select 1 from streams where (mlflow_run_id = ?1 or key = ?1) and id <> ?2";
  return (await db.prepare(query).bind(runId, streamId).first()) !== null;
}

/** Writes a run down as the leased stream's own in the mirror, unless the mirror has another for it. */
export function mirrorLink(
  db: D1Database,
  { streamId, token }: Lease,
  { runId, experimentId, status, startTime, endTime, lifecycleStage, artifactUri }: RunInfo,
  runName: string,
  now: number,
): Bound {
  const row = [runId, experimentId, runName, status, startTime, endTime, lifecycleStage, artifactUri, now];
  return new Bound(db, MIRROR_LINK, streamId, token, ...row);
}

const MIRROR_LINK = `
  insert into mlflow_runs (mlflow_run_id, mlflow_experiment_id, stream_id, run_name, status, start_time, end_time,
    lifecycle_stage, artifact_uri, synced_at)
  select ?3, ?4, ?1, ?5, ?6, ?7, ?8, ?9, ?10, ?11
  where ${heldBy(1, 2)}
    and not exists (select 1 from mlflow_runs where stream_id = ?1 and mlflow_run_id <> ?3)
  on conflict (mlflow_run_id) do update set mlflow_experiment_id = excluded.mlflow_experiment_id,
    stream_id = excluded.stream_id, run_name = excluded.run_name, status = excluded.status,
    start_time = excluded.start_time, end_time = excluded.end_time, lifecycle_stage = excluded.lifecycle_stage,
    gone_at = null, artifact_uri = excluded.artifact_uri, synced_at = excluded.synced_at`;

/** Writes down in the mirror what MLflow has just taken of the leased stream's run. */
export function mirrorState(
  db: D1Database,
  { streamId, token }: Lease,
  { runId, status, endTime }: Pick<RunInfo, "runId" | "status" | "endTime">,
  runName: string,
  now: number,
): Bound {
  return new Bound(db, MIRROR_STATE, streamId, token, runId, runName, status, endTime, now);
}

/** Writes down in the mirror that the leased stream's run was deleted or restored. */
export function mirrorLifecycle(
  db: D1Database,
  { streamId, token }: Lease,
  runId: string,
  lifecycle: LifecycleStage,
  now: number,
): Bound {
  return new Bound(db, MIRROR_LIFECYCLE, streamId, token, runId, lifecycle, now);
}

const MIRROR_LIFECYCLE = `
  update mlflow_runs set lifecycle_stage = ?4, synced_at = ?5 where mlflow_run_id = ?3 and ${heldBy(1, 2)}`;

const MIRROR_STATE = `
  update mlflow_runs set run_name = ?4, status = ?5, end_time = ?6, synced_at = ?7
  where mlflow_run_id = ?3 and ${heldBy(1, 2)}`;
