import { and, count, eq, gt, lte } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { ending, repeatable } from "../database/counted.ts";
import { type At, fixed } from "../fixed.ts";
import { events, streams } from "../schema/index.ts";
import { type Bound, NOW_MS } from "../sql.ts";
import { enlist, type Places } from "./callers.ts";
import { forgetBatch } from "./forget-batch.ts";
import {
  handOn,
  held,
  keepingUpdate,
  type Lease,
  leaseValues,
  placingUpdate,
  releasingUpdate,
  type StreamUpdate,
  type StreamValues,
} from "./held-update.ts";
import { NO_ROW_BATCH } from "./row-batch.ts";

export type { Lease, StreamUpdate, StreamValues } from "./held-update.ts";

export type StreamRow = typeof streams.$inferSelect;

/** How long a poke that was sent is trusted to arrive; after that the cron sends another. */
export const POKE_TRUST_MS = 20_000;

/** What is in doubt, as the stream's row keeps it: it goes with every statement that renews or gives back a lease. */
export type Fence = Pick<StreamRow, "doubt" | "fenceUntil"> & Partial<Pick<StreamRow, "unconfirmed">>;

/** With what MLflow has, the row's own batch goes: a turn sends nothing else before it is forgotten. */
const without = (sent: string | null) => (sent === null ? {} : NO_ROW_BATCH);

/**
 * Writes to the leased stream, and keeps the lease for its full length from now; null when the lease was lost.
 * @param sent the token of a batch that MLflow has: it is forgotten with it
 * @param also what is written in the same transaction, under the same condition
 */
export async function updateHeld(
  db: D1Database,
  lease: Lease,
  values: StreamUpdate,
  sent: string | null,
  also: readonly Bound[],
): Promise<StreamRow | null> {
  const around = repeatable(db);
  const update = keepingUpdate(around, lease, { ...values, ...without(sent) });
  const forgotten = sent === null ? [] : forgetBatch(db, lease, sent);
  const [[row]] = await drizzle(around).batch([update, ...forgotten, ...also]);
  return row ?? null;
}

/**
 * What comes before a call: the update of the leased stream, which keeps the lease and a place among the callers, or
 * takes one; where all are taken it changes nothing.
 * @param places null: the call needs none
 */
export function beforeCall(db: D1Database, lease: Lease, values: StreamValues, places: Places | null) {
  const update = placingUpdate(db, lease, values, places);
  return [update, ...(places === null || places.isIn ? [] : placed(db, lease, places))] as const;
}

/** What goes with a place that was just taken, if it was. */
export function placed(db: D1Database, lease: Lease, places: Omit<Places, "isIn">) {
  const { from } = places;
  return [...(from === null ? [] : [handOn(db, from, lease)]), enlist(db, lease, places)];
}

/** Keeps the lease before a call; false when it was lost, or no place is free. */
export async function renew(
  given: D1Database,
  lease: Lease,
  values: StreamValues,
  { places, sent }: { places: Places | null; sent: string | null },
): Promise<boolean> {
  const db = repeatable(given);
  const [rows] = await drizzle(db).batch([
    ...beforeCall(db, lease, { ...values, ...without(sent) }, places),
    ...(sent === null ? [] : forgetBatch(db, lease, sent)),
  ]);
  return rows.length > 0;
}

const holding = fixed((orm, at: At<string>) => orm.select({ id: streams.id }).from(streams).where(held(at)));

/** Whether the lease is still held. */
export async function isHeld(db: D1Database, lease: Lease): Promise<boolean> {
  const [[row]] = await drizzle(db).batch([holding(db, leaseValues(lease))]);
  return row !== undefined;
}

/** What a turn has done: the token of the last batch that MLflow has, and the events that it has brought there. */
export type Done = { sent: string | null; after: number; upto: number };

const NOTHING: Done = { sent: null, after: 0, upto: 0 };

const eventsBetween = fixed((orm, at: At<"id" | "after" | "upto">) =>
  orm
    .select({ events: count() })
    .from(events)
    .where(and(eq(events.streamId, at("id")), gt(events.seq, at("after")), lte(events.seq, at("upto")))),
);

/**
 * Gives the lease back with the last words about the stream. If events came that this turn did not deliver, and no
 * poke is on its way for them, the caller is to send one.
 * @returns null when the lease was lost before, or given back and nobody heard it; `delivered`: how many events were brought to MLflow
 */
export async function release(
  db: D1Database,
  lease: Lease,
  values: StreamValues,
  at: number,
  { sent, after, upto }: Done = NOTHING,
): Promise<{ stream: StreamRow; pokeNeeded: boolean; delivered: number } | null> {
  const mark = at + POKE_TRUST_MS;
  const around = ending(repeatable(db));
  const last = { ...values, ...without(sent) };
  const [, , [counted], [stream]] = await drizzle(around).batch([
    ...forgetBatch(db, lease, sent ?? ""),
    eventsBetween(around, { id: lease.streamId, after, upto }),
    releasingUpdate(around, lease, last, { now: at, mark }),
  ]);
  return stream ? { stream, pokeNeeded: stream.pokedUntil === mark, delivered: counted?.events ?? 0 } : null;
}

/** Whether some turn has a stream in hand. */
export async function isDelivering(db: D1Database): Promise<boolean> {
  const query = `select 1 from streams where lease_token is not null and lease_until > ${NOW_MS} limit 1`;
  return (await db.prepare(query).first()) !== null;
}
