import { and, desc, eq, isNotNull, lt, ne, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { BlockedListed } from "../../answers/ops.ts";
import { type Block, type BlockedKind, GONE_KINDS } from "../../domain/blocked.ts";
import { owner, ownerView } from "../listing/common.ts";
import type { Position } from "../listing/order.ts";
import { streams } from "../schema/index.ts";
import { heldBy } from "../sql.ts";
import type { Lease } from "../stream/leases.ts";
import { behind } from "../stream/warm.ts";

/** What a stream's row says when nothing blocks it, as columns and in SQL. */
export const NOT_BLOCKED = { blockedKind: null, blockedOn: null, blockedReason: null };
export const UNBLOCK = "blocked_kind = null, blocked_on = null, blocked_reason = null";
/** The same of one that goes on as if it had never failed. */
export const UNBLOCK_AFRESH = `${UNBLOCK}, last_error = null, attempts = 0, next_attempt_at = 0, waiting_for = null`;
/** Whether `blocked_kind` says that something was deleted in MLflow. */
export const IS_GONE = `blocked_kind in (${GONE_KINDS.map((kind) => `'${kind}'`).join(", ")})`;

/** What the row of a blocked stream says of it. */
export function blockValues({ kind, on, reason }: Block) {
  return { blockedKind: kind, blockedOn: on, blockedReason: reason };
}

/** The same once an operator has given the stream up, for whatever it was blocked. */
export function forgotten({ reason }: Block) {
  return blockValues({ kind: "forgotten", on: null, reason: `forgotten: ${reason}` });
}

/** Whether an operator has given this stream up. */
export function isForgotten({ blockedKind }: { blockedKind: BlockedKind | null }): boolean {
  return blockedKind === "forgotten";
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
  const given = <T>(value: T | undefined, condition: (value: T) => SQL) =>
    value === undefined ? undefined : condition(value);
  const rows = await drizzle(db)
    .select({
      id: streams.id,
      blockedKind: streams.blockedKind,
      blockedOn: streams.blockedOn,
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
        isNotNull(streams.blockedKind),
        filter.forgotten ? eq(streams.blockedKind, "forgotten") : ne(streams.blockedKind, "forgotten"),
        given(filter.kind, (kind) => eq(streams.kind, kind)),
        given(filter.model_run_id, (id) => eq(streams.modelRunId, id)),
        after === null ? undefined : lt(streams.id, Number(after.id)),
      ),
    )
    .orderBy(desc(streams.id))
    .limit(limit + 1);
  return rows.flatMap((row) => {
    if (row.blockedKind === null) return [];
    const view: BlockedListed = {
      kind: row.streamKind,
      ...ownerView(row),
      blocked_kind: row.blockedKind,
      blocked_on: row.blockedOn,
      blocked_reason: row.reason ?? row.blockedKind,
      forgotten: filter.forgotten,
      experiment_name: row.experimentName,
      mlflow_experiment_id: row.mlflowExperimentId,
      mlflow_run_id: row.mlflowRunId,
      undelivered_events: row.undelivered,
    };
    return [{ ...view, position: { value: null, id: row.id } }];
  });
}

/**
 * Lets go of a stream's MLflow run and has the whole journal sent again, to a run that delivery makes: all or
 * nothing, and only under the lease. Intents for the old run are planned anew with the rest.
 * @returns false when the lease was lost
 */
export async function startAnew(db: D1Database, { streamId, token }: Lease): Promise<boolean> {
  const ofStream = (query: string) => db.prepare(query).bind(streamId, token);
  const isHeld = heldBy(1, 2);
  const results = await db.batch([
    ofStream(`delete from batches where stream_id = ?1 and ${isHeld}`),
    // What is on its way to the old run is not taken for the new one's, nor what the old one alone has.
    ofStream(
      `update artifacts set delivered_version = 0, delivered_at = null, lease_token = null, attempts = 0,
           next_attempt_at = 0, blocked_reason = null
         where stream_id = ?1 and ${isHeld}`,
    ),
    ofStream(`delete from agreed where stream_id = ?1 and ${isHeld}`),
    ofStream(
      `update mlflow_runs set stream_id = null, double_of = stream_id, lifecycle_stage = 'deleted'
       where stream_id = ?1 and ${isHeld}`,
    ),
    ofStream(
      `update streams set planned_seq = 0, delivered_seq = 0, delivered_at = null, mlflow_run_id = null,
           mlflow_experiment_id = null, experiment_name = null, adopted = 0, sent_state = null, create_nonce = null,
           create_sent_at = null, recheck_at = null, doubt = null, fence_until = null, unconfirmed = null
         where id = ?1 and lease_token = ?2`,
    ),
  ]);
  return (results.at(-1)?.meta.changes ?? 0) > 0;
}

/** The other streams that stand still because this experiment is deleted, or the runs in it with it. */
const HELD_UP = `
  from streams where blocked_kind is not null and +id <> ?1
    and ((blocked_kind = 'gone_experiment' and blocked_on = ?3) or (+mlflow_experiment_id = ?2 and ${IS_GONE}))`;

type HeldUp = { streamId: number; experimentId: string; name: string };

/** How many other streams an experiment's restoring sets free. */
export async function countHeldUp(db: D1Database, { streamId, experimentId, name }: HeldUp) {
  const query = db.prepare(`select count(*) as n ${HELD_UP}`).bind(streamId, experimentId, name);
  return (await query.first<number>("n")) ?? 0;
}

/** Sets them free; their ids, to be poked. What is gone for a reason of its own is blocked again. */
export async function freeHeldUp(db: D1Database, { streamId, experimentId, name }: HeldUp) {
  const { results } = await db
    .prepare(
      `update streams set ${UNBLOCK}, attempts = 0, next_attempt_at = 0, waiting_for = null
       where id in (select id ${HELD_UP}) returning id`,
    )
    .bind(streamId, experimentId, name)
    .all<{ id: number }>();
  return results.map((row) => row.id);
}

/** Has the trials that wait for their model run's run look again at once; their ids, to be poked. */
export async function wakeTrialsOf(db: D1Database, modelRunId: string): Promise<number[]> {
  const rows = await drizzle(db)
    .update(streams)
    .set({ nextAttemptAt: 0 })
    .where(
      and(
        sql.raw(behind()),
        eq(streams.modelRunId, modelRunId),
        eq(streams.kind, "trial"),
        eq(streams.waitingFor, "parent"),
      ),
    )
    .returning({ id: streams.id });
  return rows.map((row) => row.id);
}
