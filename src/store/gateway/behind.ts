import * as z from "zod";
import { LIFECYCLE_STAGES } from "../../domain/words.ts";
import { NOW_MS } from "../sql.ts";
import { type GatewayExperiment, type Row, readExperiment } from "./experiments.ts";

/** The experiments that MLflow has not heard all of, each brought there under a lease of its own. */

const sentSchema = z.object({
  name: z.string(),
  lifecycle: z.enum(LIFECYCLE_STAGES),
  tags: z.record(z.string(), z.string()),
});
/** An experiment as MLflow last took it. */
export type SentExperiment = z.output<typeof sentSchema>;

/** An experiment under a lease. `version`: which of its changes this is. */
export type ClaimedExperiment = GatewayExperiment & {
  token: string;
  version: number;
  attempts: number;
  /** Null before it was made or found in MLflow. */
  sent: SentExperiment | null;
  /** Runs in it still have something to say, which MLflow would not take once it is deleted. */
  isBusy: boolean;
};

type ClaimedRow = Row & { version: number; attempts: number; sent: string | null; isBusy: 0 | 1 };

/** Takes the lease of an experiment that is behind and due; null where it is neither, or another has it. */
export async function claimExperiment(
  db: D1Database,
  id: string,
  ms: number,
  now: number,
): Promise<ClaimedExperiment | null> {
  const token = crypto.randomUUID();
  const row = await db.prepare(CLAIM).bind(id, token, ms, now).first<ClaimedRow>();
  if (!row) return null;
  const { sent, isBusy, version, attempts, ...rest } = row;
  return {
    ...readExperiment(rest),
    token,
    version,
    attempts,
    sent: sent === null ? null : sentSchema.parse(JSON.parse(sent)),
    isBusy: isBusy === 1,
  };
}

const CLAIM = `
  update gateway_experiments set lease_token = ?2, lease_until = ${NOW_MS} + ?3
  where id = ?1 and lease_until < ${NOW_MS} and delivered_version < version and next_attempt_at <= ?4
  returning id, mlflow_experiment_id as mlflowExperimentId, name, artifact_location as artifactLocation, lifecycle, tags,
    created_time as createdTime, updated_time as updatedTime, 1 as isOurs, version, attempts, sent,
    exists (select 1 from gateway_runs g join streams s on s.id = g.stream_id
      where g.experiment_id = gateway_experiments.id and s.delivered_seq < s.last_seq and s.blocked_kind is null
        and (s.mlflow_run_id is not null or g.touched_at is not null)) as isBusy`;

type Leased = Pick<ClaimedExperiment, "id" | "token">;

/** Writes down what MLflow has taken. */
export async function noteSent(db: D1Database, { id, token }: Leased, sent: SentExperiment): Promise<void> {
  await db
    .prepare("update gateway_experiments set sent = ?3 where id = ?1 and lease_token = ?2")
    .bind(id, token, JSON.stringify(sent))
    .run();
}

/**
 * Gives the lease back.
 * @param end the version that MLflow has; or why it is not there yet, when to try again, and for how long a call may still
 *   land
 */
export async function releaseExperiment(
  db: D1Database,
  { id, token }: Leased,
  end: { version: number } | { error: string; nextAttemptAt: number; landsForMs: number },
): Promise<void> {
  const statement =
    "version" in end
      ? db
          .prepare(
            `update gateway_experiments set lease_token = null, lease_until = 0, delivered_version = ?3, attempts = 0,
               last_error = null where id = ?1 and lease_token = ?2`,
          )
          .bind(id, token, end.version)
      : db
          .prepare(
            `update gateway_experiments set lease_token = null, lease_until = iif(?5 > 0, ${NOW_MS} + ?5, 0),
               attempts = attempts + 1, last_error = ?3, next_attempt_at = ?4 where id = ?1 and lease_token = ?2`,
          )
          .bind(id, token, end.error, end.nextAttemptAt, end.landsForMs);
  await statement.run();
}

/** The experiments that are behind, those that wait longest first. */
export async function experimentsBehind(db: D1Database, most: number): Promise<string[]> {
  const { results } = await db
    .prepare(
      "select id from gateway_experiments where delivered_version < version order by next_attempt_at limit ?1",
    )
    .bind(most)
    .all<{ id: string }>();
  return results.map(({ id }) => id);
}
