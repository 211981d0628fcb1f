import { and, asc, eq, gt, inArray, isNotNull, isNull, lt, lte, or, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { RETRIED_KINDS } from "../../domain/blocked.ts";
import { events, streams } from "../schema/index.ts";
import { NOW_MS } from "../sql.ts";
import type { StreamRow } from "../stream/leases.ts";
import { behind } from "../stream/warm.ts";
import { NOT_BLOCKED } from "./blocked.ts";

const isBehind = sql.raw(behind());
/** Not blocked, or by something that may pass. */
const goesOn = or(isNull(streams.blockedKind), inArray(streams.blockedKind, [...RETRIED_KINDS]));
/** Unary plus keeps SQLite from walking all streams in order of id, instead of the few in the index of the warm ones. */
const id = sql<number>`+${streams.id}`;

/** A trial's or model run's stream, by its public id. */
export async function streamByKey(db: D1Database, key: string): Promise<StreamRow | null> {
  return (await drizzle(db).select().from(streams).where(eq(streams.key, key)).get()) ?? null;
}

/**
 * Has a stream delivered although automatic delivery is off, and at once; also takes a block away, but from what was
 * just given up.
 */
export async function force(db: D1Database, streamId: number): Promise<void> {
  await drizzle(db)
    .update(streams)
    .set({ forced: true, ...NOT_BLOCKED, nextAttemptAt: 0, attempts: 0, waitingFor: null })
    .where(and(eq(streams.id, streamId), sql`${streams.blockedKind} is not 'forgotten'`));
}

/** Which streams are brought to MLflow: also those that nobody asked for, those that an operator asked for, or none. */
export type Deliverable = "all" | "forced" | "none";

const IS_DELIVERED = { all: undefined, forced: eq(streams.forced, true), none: sql`false` };

/**
 * Streams that wait for the breaker, longest waiting first, and for how long each is leased still: its holder may have
 * died.
 */
export async function waitingForBreaker(
  db: D1Database,
  limit: number,
  deliver: Deliverable,
): Promise<{ id: number; leasedMs: number }[]> {
  return drizzle(db)
    .select({
      id: streams.id,
      leasedMs: sql<number>`max(0, ${streams.leaseUntil} - ${sql.raw(NOW_MS)})`,
    })
    .from(streams)
    .where(and(isBehind, eq(streams.waitingFor, "breaker"), goesOn, IS_DELIVERED[deliver]))
    .orderBy(asc(id))
    .limit(limit);
}

/**
 * Streams that are behind, after `afterId` in order of id, and how long until something already under way (a poke, a
 * lease, an attempt) must have shown itself. Its holder may have died, so nothing is taken for granted after that. What
 * waits for somebody to announce or use it may just have got that, and the poke for it be lost: it is looked at.
 */
export async function behindStreams(
  db: D1Database,
  now: number,
  options: { afterId: number; limit: number; deliver: Deliverable },
): Promise<{ id: number; dueInMs: number }[]> {
  const unfolded = lt(streams.foldedSeq, streams.lastSeq);
  const attemptInMs = sql`iif(${streams.waitingFor} is 'grace', 0, ${streams.nextAttemptAt} - ${now})`;
  const deliverable = and(goesOn, sql`${streams.waitingFor} is not 'breaker'`, IS_DELIVERED[options.deliver]);
  return drizzle(db)
    .select({
      id: streams.id,
      dueInMs: sql<number>`max(0, ${streams.leaseUntil} - ${sql.raw(NOW_MS)}, ${streams.pokedUntil} - ${now}, ${attemptInMs})`,
    })
    .from(streams)
    .where(and(isBehind, gt(id, options.afterId), or(unfolded, deliverable)))
    .orderBy(asc(id))
    .limit(options.limit);
}

/** The newest stream's id, 0 where there is none. */
export async function lastStreamId(db: D1Database): Promise<number> {
  return (await db.prepare("select max(id) as id from streams").first<number>("id")) ?? 0;
}

/** How many events of a stream the journal has after `from`, up to `to`. */
export async function countEvents(
  db: D1Database,
  streamId: number,
  from: number,
  to: number,
): Promise<number> {
  return drizzle(db).$count(
    events,
    and(eq(events.streamId, streamId), gt(events.seq, from), lte(events.seq, to)),
  );
}

/** A stream whose create call may have made a second run. */
export type Recheck = { id: number; nonce: string; runId: string; experimentId: string };

/** Those that are to be looked at for one by now, longest due first. */
export async function dueForRecheck(db: D1Database, now: number, limit: number): Promise<Recheck[]> {
  const rows = await drizzle(db)
    .select({
      id: streams.id,
      nonce: streams.createNonce,
      runId: streams.mlflowRunId,
      experimentId: streams.mlflowExperimentId,
    })
    .from(streams)
    .where(
      and(
        lte(streams.recheckAt, now),
        isNotNull(streams.recheckAt),
        isNull(streams.createSentAt),
        isNotNull(streams.mlflowRunId),
      ),
    )
    .orderBy(asc(streams.recheckAt))
    .limit(limit);
  return rows.flatMap(({ id, nonce, runId, experimentId }) =>
    nonce === null || runId === null || experimentId === null ? [] : [{ id, nonce, runId, experimentId }],
  );
}

/** Takes it that these streams have one run each: nothing is looked for any more that was due. */
export async function forgetRechecks(db: D1Database, ids: readonly number[], now: number): Promise<void> {
  if (ids.length === 0) return;
  await db
    .prepare(
      `update streams set recheck_at = null
       where id in (select value from json_each(?1)) and recheck_at <= ?2 and create_sent_at is null`,
    )
    .bind(JSON.stringify(ids), now)
    .run();
}

/** Has streams looked at for a second run only after a time. */
export async function postponeRechecks(db: D1Database, ids: readonly number[], until: number): Promise<void> {
  if (ids.length === 0) return;
  await db
    .prepare(
      `update streams set recheck_at = ?2
       where id in (select value from json_each(?1)) and recheck_at is not null`,
    )
    .bind(JSON.stringify(ids), until)
    .run();
}
