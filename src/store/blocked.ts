import { and, desc, eq, isNotNull, like, lt, not, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { HELD, type Lease } from "./leases.ts";
import { owner, ownerView } from "./read-ops.ts";
import type { Position } from "./read-order.ts";
import { streams } from "./schema.ts";

/** Begins the reason of a stream that an operator has given up: it is not delivered, and nobody needs to look. */
export const FORGOTTEN = "forgotten: ";

/** Whether an operator has given this stream up. */
export function isForgotten({ blockedReason }: { blockedReason: string | null }): boolean {
  return blockedReason?.startsWith(FORGOTTEN) ?? false;
}

export type BlockedFilter = {
  kind?: "trial" | "model_run" | undefined;
  model_run_id?: string | undefined;
  forgotten: boolean;
};

/** The trials and model runs that wait for an operator, or those that were given up; a page and one more. */
export async function listBlocked(
  db: D1Database,
  filter: BlockedFilter,
  after: Position | null,
  limit: number,
) {
  const forgotten = like(streams.blockedReason, `${FORGOTTEN}%`);
  const given = <T>(value: T | undefined, condition: (value: T) => SQL) =>
    value === undefined ? undefined : condition(value);
  const rows = await drizzle(db)
    .select({
      id: streams.id,
      reason: streams.blockedReason,
      experimentName: streams.experimentName,
      mlflowExperimentId: streams.mlflowExperimentId,
      mlflowRunId: streams.mlflowRunId,
      undelivered: sql<number>`(select count(*) from events e where e.stream_id = ${streams.id} and e.seq > ${streams.deliveredSeq})`,
      ...owner,
    })
    .from(streams)
    .where(
      and(
        isNotNull(streams.blockedReason),
        filter.forgotten ? forgotten : not(forgotten),
        given(filter.kind, (kind) => eq(streams.kind, kind)),
        given(filter.model_run_id, (id) => eq(streams.modelRunId, id)),
        after === null ? undefined : lt(streams.id, Number(after.id)),
      ),
    )
    .orderBy(desc(streams.id))
    .limit(limit + 1);
  return rows.map((row) => ({
    kind: row.streamKind,
    ...ownerView(row),
    blocked_reason: row.reason,
    forgotten: filter.forgotten,
    experiment_name: row.experimentName,
    mlflow_experiment_id: row.mlflowExperimentId,
    mlflow_run_id: row.mlflowRunId,
    undelivered_events: row.undelivered,
    position: { value: null, id: row.id },
  }));
}

/**
 * Lets go of a stream's MLflow run and has the whole journal sent again, to a run that delivery makes: all or
 * nothing, and only under the lease. Intents for the old run are planned anew with the rest.
 * @returns false when the lease was lost
 */
export async function startAnew(db: D1Database, { streamId, token }: Lease): Promise<boolean> {
  const isHeld = [streamId, token];
  const results = await db.batch([
    db.prepare(`delete from batches where stream_id = ? and ${HELD}`).bind(streamId, ...isHeld),
    db.prepare(`delete from agreed where stream_id = ? and ${HELD}`).bind(streamId, ...isHeld),
    db
      .prepare(
        `update mlflow_runs set stream_id = null, double_of = stream_id, lifecycle_stage = 'deleted'
         where stream_id = ? and ${HELD}`,
      )
      .bind(streamId, ...isHeld),
    db
      .prepare(
        `update streams set planned_seq = 0, delivered_seq = 0, delivered_at = null, mlflow_run_id = null,
           mlflow_experiment_id = null, experiment_name = null, adopted = 0, sent_state = null, create_nonce = null,
           create_sent_at = null, recheck_at = null
         where id = ? and lease_token = ?`,
      )
      .bind(...isHeld),
  ]);
  return (results.at(-1)?.meta.changes ?? 0) > 0;
}

/** The other streams that stand still because this experiment is deleted, or the runs in it with it. */
const HELD_UP = `
  from streams where id <> ?1
    and (blocked_reason = ?3 or (mlflow_experiment_id = ?2 and blocked_reason like 'gone: %'))`;

type HeldUp = { streamId: number; experimentId: string; reason: string };

/** How many other streams an experiment's restoring sets free. */
export async function countHeldUp(db: D1Database, { streamId, experimentId, reason }: HeldUp) {
  const query = db.prepare(`select count(*) as n ${HELD_UP}`).bind(streamId, experimentId, reason);
  return (await query.first<number>("n")) ?? 0;
}

/** Sets them free; their ids, to be poked. What is gone for a reason of its own is blocked again. */
export async function freeHeldUp(db: D1Database, { streamId, experimentId, reason }: HeldUp) {
  const { results } = await db
    .prepare(
      `update streams set blocked_reason = null, attempts = 0, next_attempt_at = 0, waiting_for = null
       where id in (select id ${HELD_UP}) returning id`,
    )
    .bind(streamId, experimentId, reason)
    .all<{ id: number }>();
  return results.map((row) => row.id);
}

/** Has the trials that wait for their model run's run look again at once; their ids, to be poked. */
export async function wakeTrialsOf(db: D1Database, modelRunId: string): Promise<number[]> {
  const rows = await drizzle(db)
    .update(streams)
    .set({ nextAttemptAt: 0 })
    .where(
      and(eq(streams.modelRunId, modelRunId), eq(streams.kind, "trial"), eq(streams.waitingFor, "parent")),
    )
    .returning({ id: streams.id });
  return rows.map((row) => row.id);
}
