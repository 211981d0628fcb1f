import * as z from "zod";
import { LIFECYCLE_STAGES } from "../../domain/words.ts";
import { ending, repeatable } from "../database/counted.ts";
import { giveBack, takeLease } from "../database/leased-row.ts";
import { IS_GONE, UNBLOCK_AFRESH } from "../delivery/blocked.ts";
import { NOW_MS } from "../sql.ts";
import { behind } from "../stream/warm.ts";
import { type GatewayExperiment, type Row, readExperiment } from "./experiments.ts";
import { isBuried } from "./ghosts.ts";
import { sayLedAlong } from "./lifecycles.ts";

/** The experiments that MLflow has not heard all of, each brought there under a lease of its own. */

const sentSchema = z.object({
  name: z.string(),
  lifecycle: z.enum(LIFECYCLE_STAGES),
  tags: z.record(z.string(), z.string()),
  /** What was told MLflow without an answer, such as `name` or `tag:k`: it may be there, or as it was. */
  doubt: z.array(z.string()).default([]),
});
/** An experiment as MLflow last took it; before it has an id there, as it was asked for. */
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
  const row = await repeatable(db).prepare(CLAIM).bind(id, token, ms, now).first<ClaimedRow>();
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

const CLAIM = `${takeLease("gateway_experiments")}
  returning id, mlflow_experiment_id as mlflowExperimentId, name, artifact_location as artifactLocation, lifecycle, tags,
    created_time as createdTime, updated_time as updatedTime, 1 as isOurs, version, attempts, sent,
    exists (select 1 from streams s cross join gateway_runs g on g.stream_id = s.id
      where ${behind("s")} and s.blocked_kind is null and g.experiment_id = gateway_experiments.id
        and (s.mlflow_run_id is not null or g.touched_at is not null)) as isBusy`;

type Leased = Pick<ClaimedExperiment, "id" | "token">;

/**
 * Writes down what MLflow has taken, or is about to be told, and keeps the lease for its full length from now.
 * @param what.mlflowId where it was just found or made
 * @param what.ledAlongAt when MLflow was told that it is deleted or restored, with its runs
 * @returns the streams of runs that go on since MLflow is to be told of them by themselves; null where the lease was lost
 */
export async function noteSent(
  db: D1Database,
  { id, token }: Leased,
  {
    sent,
    ms,
    mlflowId,
    ledAlongAt,
  }: { sent: SentExperiment; ms: number; mlflowId: string | null; ledAlongAt: number | null },
): Promise<number[] | null> {
  const note = db
    .prepare(
      `update gateway_experiments set sent = ?3, lease_until = ${NOW_MS} + ?4,
         mlflow_experiment_id = coalesce(?5, mlflow_experiment_id) where id = ?1 and lease_token = ?2`,
    )
    .bind(id, token, JSON.stringify(sent), ms, mlflowId);
  const ledAlong = ledAlongAt === null ? [] : sayLedAlong(db, { id, token }, ledAlongAt);
  const results = await db.batch<{ id: number }>([note, ...ledAlong]);
  if (results[0]?.meta.changes === 0) return null;
  return results.slice(1).flatMap(({ results: rows }) => rows.map((row) => row.id));
}

/** An experiment as its clients see it in the end. */
export type SeenExperiment = Pick<SentExperiment, "name" | "lifecycle" | "tags">;

/**
 * Gives the lease back once MLflow has a version of it. What was changed there meanwhile is so here too, unless something
 * else was said here; its runs are deleted and restored with it.
 * @returns the streams of runs in it that stood still because something was deleted, or MLflow would not make it, and now
 *   go on
 */
export async function releaseBrought(
  db: D1Database,
  { id, token, version }: Leased & { version: number },
  { seen, sent }: { seen: SeenExperiment; sent: SentExperiment },
): Promise<number[]> {
  const isSame = "id = ?1 and lease_token = ?2 and version = ?3";
  const { name, lifecycle, tags } = seen;
  const results = await db.batch<{ id: number }>([
    db
      .prepare(
        `update gateway_runs set lifecycle = ?4
         where experiment_id in (select id from gateway_experiments where ${isSame} and lifecycle <> ?4)
           and lifecycle <> ?4 and not ${isBuried("gateway_runs")}`,
      )
      .bind(id, token, version, lifecycle),
    db
      .prepare(`update gateway_experiments set name = ?4, lifecycle = ?5, tags = ?6 where ${isSame}`)
      .bind(id, token, version, name, lifecycle, JSON.stringify(tags)),
    db.prepare(FREE).bind(id, token, version),
    db
      .prepare(
        `update gateway_experiments set lease_token = null, lease_until = 0, delivered_version = ?3, attempts = 0,
           last_error = null, sent = iif(version = ?3, ?4, sent) where id = ?1 and lease_token = ?2`,
      )
      .bind(id, token, version, JSON.stringify(sent)),
  ]);
  return (results[2]?.results ?? []).map((row) => row.id);
}

/** Among what is blocked, of which there is little, and not among all the runs of the experiment. */
const FREE = `
  update streams set ${UNBLOCK_AFRESH}
  where blocked_kind is not null and (${IS_GONE} or (blocked_kind = 'invalid' and mlflow_run_id is null))
    and exists (select 1 from gateway_runs g
      where g.stream_id = streams.id and g.experiment_id = ?1 and g.lifecycle = 'active')
    and exists (select 1 from gateway_experiments
      where id = ?1 and lease_token = ?2 and version = ?3 and lifecycle = 'active')
  returning id`;

/** Gives the lease back: why MLflow does not have it yet, when to try again, and for how long a call may still land. */
export async function releaseBehind(
  db: D1Database,
  { id, token }: Leased,
  { error, nextAttemptAt, landsForMs }: { error: string; nextAttemptAt: number; landsForMs: number },
): Promise<void> {
  await ending(repeatable(db))
    .prepare(
      `update gateway_experiments set ${giveBack("?5")}, last_error = ?3, next_attempt_at = ?4 where id = ?1 and lease_token = ?2`,
    )
    .bind(id, token, error, nextAttemptAt, landsForMs)
    .run();
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
