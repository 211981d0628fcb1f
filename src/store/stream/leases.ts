import { and, count, eq, gt, gte, isNotNull, lt, lte, ne, or, type SQL, sql } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import type { SQLiteUpdateSetSource } from "drizzle-orm/sqlite-core";
import type { Marks } from "../../domain/core.ts";
import { ending, repeatable } from "../database/counted.ts";
import { batches, events, streams } from "../schema/index.ts";
import { type Bound, NOW_MS } from "../sql.ts";
import { CALLING, enlist, type Holder, hasPlace, type Places } from "./callers.ts";
import { forgetBatch } from "./forget-batch.ts";
import { moveRowBatch, NO_ROW_BATCH } from "./row-batch.ts";

export type StreamRow = typeof streams.$inferSelect;

/** How long a poke that was sent is trusted to arrive; after that the cron sends another. */
export const POKE_TRUST_MS = 20_000;

/** One writer per MLflow run: a token, and by the database's clock an end. */
export type Lease = { streamId: number; token: string; ms: number };

const now = sql.raw(NOW_MS);

/** The condition that every update of the leased stream itself carries; `heldBy` is that of the other tables. */
export function held(lease: Holder) {
  return and(eq(streams.id, lease.streamId), eq(streams.leaseToken, lease.token));
}

export type Claim =
  | { kind: "claimed"; lease: Lease; stream: StreamRow }
  /** Another holds it, for at most so long. */
  | { kind: "busy"; ms: number }
  | { kind: "unknown" };

/** A fold that is written with a claim, all or nothing: from and up to which watermark, its marks, and its queries. */
export type ClaimedFold = { from: number; upto: number; marks: Marks; queries: (token: string) => Bound[] };

/**
 * What is noted of a first call with a claim, since all that it follows from was read before: the row that was read, what
 * is set of it, and how a place is had. It holds only where the stream is still so, has no batch that was planned before,
 * and there is a place for the call.
 */
export type Foreseen = { from: StreamRow; values: StreamValues; places: Omit<Places, "isIn"> };

/** What of a row tells what its holder would do. */
const FORESEEN_FROM = [
  "plannedSeq",
  "deliveredSeq",
  "attempts",
  "nextAttemptAt",
  "waitingFor",
  "blockedKind",
  "doubt",
  "unconfirmed",
  "mlflowRunId",
  "sentState",
  "sendingToken",
] as const;

function isAsForeseen({ from, places }: Foreseen) {
  return and(
    ...FORESEEN_FROM.map((name) => sql`${streams[name]} is ${from[name]}`),
    sql`not exists (select 1 from ${batches} where ${batches.streamId} = ${streams.id})`,
    hasRoom(places),
  );
}

/**
 * Takes the lease. The mark of a sent poke is cleared, so that later events poke again; it is cleared too when the
 * lease is taken, so that its holder sees on release that a poke was spent on it. A claim whose answer was lost finds
 * its own token when it is repeated.
 * @param ms how long it is held if it is not renewed
 */
export async function claim(db: D1Database, streamId: number, ms: number): Promise<Claim> {
  const claimed = await claimFolding(db, streamId, ms, null, null);
  return claimed.kind === "moved" ? { kind: "busy", ms: 0 } : claimed;
}

/** The same with a fold, and with a first call. `moved`: the stream is free, but it is not as it was when they were made. */
export async function claimFolding(
  db: D1Database,
  streamId: number,
  ms: number,
  folded: ClaimedFold | null,
  foreseen: Foreseen | null,
): Promise<Claim | { kind: "moved" }> {
  const lease = { streamId, token: crypto.randomUUID(), ms };
  const orm = drizzle(repeatable(db));
  const isOurs = eq(streams.leaseToken, lease.token);
  const isFree = lt(streams.leaseUntil, now);
  const isUnmoved = folded === null ? undefined : eq(streams.foldedSeq, folded.from);
  const isForeseen = foreseen === null ? undefined : isAsForeseen(foreseen);
  const until = sql`${now} + ${ms}`;
  const [[claimed], , [row]] = await orm.batch([
    orm
      .update(streams)
      .set({
        leaseToken: lease.token,
        leaseUntil: until,
        pokedUntil: 0,
        ...(folded === null ? {} : { foldedSeq: folded.upto, ...folded.marks }),
        ...(foreseen === null ? {} : { ...foreseen.values, callingUntil: until }),
      })
      .where(and(eq(streams.id, streamId), or(isOurs, and(isFree, isUnmoved, isForeseen))))
      .returning(),
    orm
      .update(streams)
      .set({ pokedUntil: 0 })
      .where(
        and(
          eq(streams.id, streamId),
          ne(streams.leaseToken, lease.token),
          gte(streams.leaseUntil, now),
          ne(streams.pokedUntil, 0),
        ),
      ),
    orm
      .select({ ms: sql<number>`${streams.leaseUntil} - ${now}` })
      .from(streams)
      .where(eq(streams.id, streamId)),
    ...(folded?.queries(lease.token) ?? []),
    ...(foreseen === null ? [] : placed(orm, db, lease, foreseen.places)),
  ]);
  if (claimed) {
    // Its last holder died while it sent that. The lease is held by now, so there is room for this whatever comes.
    const sure = ending(repeatable(db));
    if (claimed.sendingToken !== null && foreseen === null)
      await drizzle(sure).batch(moveRowBatch(sure, lease));
    return { kind: "claimed", lease, stream: { ...claimed, ...NO_ROW_BATCH } };
  }
  if (!row) return { kind: "unknown" };
  return row.ms >= 0 ? { kind: "busy", ms: row.ms } : { kind: "moved" };
}

/** What is in doubt, as the stream's row keeps it: it goes with every statement that renews or gives back a lease. */
export type Fence = Pick<StreamRow, "doubt" | "fenceUntil"> & Partial<Pick<StreamRow, "unconfirmed">>;

/** What a statement may set of a stream. */
export type StreamValues = Partial<typeof streams.$inferInsert>;

/** The same, or expressions for it. */
export type StreamUpdate = SQLiteUpdateSetSource<typeof streams>;

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
  const orm = drizzle(repeatable(db));
  const update = orm
    .update(streams)
    .set({ ...values, ...without(sent), leaseUntil: sql`${now} + ${lease.ms}`, callingUntil: null })
    .where(held(lease))
    .returning();
  const forgotten = sent === null ? [] : forgetBatch(db, lease, sent);
  const [[row]] = await orm.batch([update, ...forgotten, ...also]);
  return row ?? null;
}

/**
 * What comes before a call: the update of the leased stream, which keeps the lease and a place among the callers, or
 * takes one; where all are taken it changes nothing.
 * @param places null: the call needs none
 */
export function beforeCall(db: D1Database, lease: Lease, values: StreamValues, places: Places | null) {
  const until = sql`${now} + ${lease.ms}`;
  const orm = drizzle(db);
  const update = orm
    .update(streams)
    .set({ ...values, leaseUntil: until, ...(places === null ? {} : { callingUntil: until }) })
    .where(
      places === null ? held(lease) : and(held(lease), or(gt(streams.callingUntil, now), hasRoom(places))),
    )
    .returning({ id: streams.id });
  return [update, ...(places === null || places.isIn ? [] : placed(orm, db, lease, places))] as const;
}

/** Whether there is a place to be taken. */
function hasRoom({ most, from }: Omit<Places, "isIn">): SQL {
  const isAnyFree = sql`${sql.raw(CALLING)} < ${most}`;
  return from === null ? isAnyFree : sql`(${isAnyFree} or ${hasPlace(from)})`;
}

/** What goes with a place that was just taken, if it was. */
function placed(orm: DrizzleD1Database, db: D1Database, lease: Lease, places: Omit<Places, "isIn">) {
  const { from } = places;
  const handOn = (one: Holder) =>
    orm
      .update(streams)
      .set({ callingUntil: null })
      .where(and(held(one), isNotNull(streams.callingUntil), hasPlace(lease)));
  return [...(from === null ? [] : [handOn(from)]), enlist(db, lease, places)];
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

/** Whether the lease is still held. */
export async function isHeld(db: D1Database, lease: Lease): Promise<boolean> {
  return (await drizzle(db).$count(streams, held(lease))) > 0;
}

/** What a turn has done: the token of the last batch that MLflow has, and the events that it has brought there. */
export type Done = { sent: string | null; after: number; upto: number };

const NOTHING: Done = { sent: null, after: 0, upto: 0 };

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
  const unpoked = sql`${streams.lastSeq} > ${streams.foldedSeq} and ${streams.pokedUntil} < ${at}`;
  const orm = drizzle(ending(repeatable(db)));
  const [, , [counted], [stream]] = await orm.batch([
    ...forgetBatch(db, lease, sent ?? ""),
    orm
      .select({ events: count() })
      .from(events)
      .where(and(eq(events.streamId, lease.streamId), gt(events.seq, after), lte(events.seq, upto))),
    orm
      .update(streams)
      .set({
        ...values,
        ...without(sent),
        leaseToken: null,
        leaseUntil: 0,
        callingUntil: null,
        pokedUntil: sql`case when ${unpoked} then ${mark} else ${streams.pokedUntil} end`,
      })
      .where(held(lease))
      .returning(),
  ]);
  return stream ? { stream, pokeNeeded: stream.pokedUntil === mark, delivered: counted?.events ?? 0 } : null;
}

/** Whether some turn has a stream in hand. */
export async function isDelivering(db: D1Database): Promise<boolean> {
  const query = `select 1 from streams where lease_token is not null and lease_until > ${NOW_MS} limit 1`;
  return (await db.prepare(query).first()) !== null;
}
