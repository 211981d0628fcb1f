import { ending, repeatable } from "../database/counted.ts";
import { giveBack, takeLease } from "../database/leased-row.ts";
import { NOW_MS } from "../sql.ts";

/** The files that MLflow has not heard all of, each brought there under a lease of its own. */

/** A file under a lease, and the run or logged model that it goes to. */
export type ClaimedArtifact = {
  id: number;
  token: string;
  path: string;
  bytes: number;
  sha256: string;
  contentType: string;
  objectKey: string | null;
  version: number;
  attempts: number;
  isRemoved: boolean;
  /** Null while its run is not in MLflow. */
  mlflowRunId: string | null;
  isRunDeleted: boolean;
  /** Where MLflow keeps the run's files; null while nobody has seen. */
  artifactUri: string | null;
  isModels: boolean;
  /** The same of the model; null while it is not in MLflow. */
  modelUri: string | null;
};

type Flag = "isRemoved" | "isModels" | "isRunDeleted";
type Row = Omit<ClaimedArtifact, "token" | Flag> & Record<Flag, 0 | 1>;

/** Takes the lease of a file that is behind and due; null where it is neither, or another has it. */
export async function claimArtifact(
  db: D1Database,
  id: number,
  ms: number,
  now: number,
): Promise<ClaimedArtifact | null> {
  const token = crypto.randomUUID();
  const row = await repeatable(db).prepare(CLAIM).bind(id, token, ms, now).first<Row>();
  if (row === null) return null;
  const { isRemoved, isModels, isRunDeleted } = row;
  return {
    ...row,
    token,
    isRemoved: isRemoved === 1,
    isModels: isModels === 1,
    isRunDeleted: isRunDeleted === 1,
  };
}

const RUN = "(select s.mlflow_run_id from streams s where s.id = artifacts.stream_id)";
const CLAIM = `${takeLease("artifacts")}
  returning id, path, bytes, sha256, content_type as contentType, object_key as objectKey, version, attempts,
    removed_at is not null as isRemoved, ${RUN} as mlflowRunId,
    exists (select 1 from mlflow_runs r where r.mlflow_run_id = ${RUN} and r.lifecycle_stage = 'deleted') as isRunDeleted,
    (select r.artifact_uri from mlflow_runs r where r.mlflow_run_id = ${RUN}) as artifactUri,
    stream_id < 0 as isModels, (select m.mlflow_root from gateway_models m where m.n = -artifacts.stream_id) as modelUri`;

type Leased = Pick<ClaimedArtifact, "id" | "token">;

/**
 * Gives the lease back of what MLflow has now; a file that was removed there is forgotten, unless it came again.
 * @returns whether it changed meanwhile, so that it is to go again
 */
export async function noteDelivered(
  db: D1Database,
  { id, token }: Leased,
  version: number,
  now: number,
): Promise<boolean> {
  const [noted] = await db.batch<{ isBehind: 0 | 1 }>([
    db
      .prepare(
        `update artifacts set lease_token = null, lease_until = 0, delivered_version = ?3, delivered_at = ?4, attempts = 0,
           last_error = null, blocked_reason = null where id = ?1 and lease_token = ?2
         returning version > delivered_version as isBehind`,
      )
      .bind(id, token, version, now),
    db
      .prepare(
        "delete from artifacts where id = ?1 and removed_at is not null and delivered_version = version",
      )
      .bind(id),
  ]);
  return noted?.results[0]?.isBehind === 1;
}

/** Gives it back of what is not there yet: why, when to try again, and for how long a call may still land. */
export async function noteUndelivered(
  db: D1Database,
  { id, token }: Leased,
  end: { error: string; blockedReason: string | null; nextAttemptAt: number; landsForMs: number },
): Promise<void> {
  await ending(repeatable(db))
    .prepare(
      `update artifacts set ${giveBack("?6")}, last_error = ?3, blocked_reason = ?4, next_attempt_at = ?5 where id = ?1 and lease_token = ?2`,
    )
    .bind(id, token, end.error, end.blockedReason, end.nextAttemptAt, end.landsForMs)
    .run();
}

/** The files that are behind and due by a time, those that wait longest first. */
export async function artifactsBehind(db: D1Database, dueBy: number, most: number): Promise<number[]> {
  const { results } = await db
    .prepare(
      `select id from artifacts where delivered_version < version and next_attempt_at <= ?1 and lease_until < ${NOW_MS}
       order by next_attempt_at limit ?2`,
    )
    .bind(dueBy, most)
    .all<{ id: number }>();
  return results.map(({ id }) => id);
}

/** Counting stops here. */
const MAX_COUNTED = 100_000;

/** What of files is still to go to MLflow: how many, those of them that are blocked, their bytes. */
export const ARTIFACT_BACKLOG = `
  select state as label, null as detail, count(*) as value from
    (select iif(blocked_reason is null, 'waiting', 'blocked') as state from artifacts where delivered_version < version limit ${MAX_COUNTED})
  group by state
  union all select 'bytes', null, coalesce(sum(bytes), 0) from
    (select iif(removed_at is null, bytes, 0) as bytes from artifacts where delivered_version < version limit ${MAX_COUNTED})`;
