import { and, count, eq, gt, gte, lt, lte, ne, or, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Marks } from "../../domain/core.ts";
import { ending, repeatable } from "../database/counted.ts";
import { type At, fixed, fixedEach } from "../fixed.ts";
import { batches, events, streams } from "../schema/index.ts";
import { type Bound, NOW_MS } from "../sql.ts";
import { enlist, type Places } from "./callers.ts";
import { forgetBatch } from "./forget-batch.ts";
import {
  handOn,
  hasRoom,
  held,
  keepingUpdate,
  type Lease,
  leaseEnd,
  leaseValues,
  namesOf,
  placingUpdate,
  releasingUpdate,
  roomValues,
  type StreamUpdate,
  type StreamValues,
  setTo,
  valuesOf,
} from "./held-update.ts";
import { moveRowBatch, NO_ROW_BATCH } from "./row-batch.ts";

export type { Lease, StreamUpdate, StreamValues } from "./held-update.ts";

export type StreamRow = typeof streams.$inferSelect;

/** How long a poke that was sent is trusted to arrive; after that the cron sends another. */
export const POKE_TRUST_MS = 20_000;

const now = sql.raw(NOW_MS);

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

function isAsForeseen(isFrom: boolean, at: At<string>) {
  return and(
    ...FORESEEN_FROM.map((name) => sql`${streams[name]} is ${at(`was.${name}`)}`),
    sql`not exists (select 1 from ${batches} where ${batches.streamId} = ${streams.id})`,
    hasRoom(isFrom, at),
  );
}

function foreseenValues({ from, values, places }: Foreseen) {
  const was = Object.fromEntries(FORESEEN_FROM.map((name) => [name, from[name]]));
  return { ...valuesOf(values), ...valuesOf(was, "was."), ...roomValues(places) };
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

/** `isFrom`: whether the place for a first call may be another's; null where there is no such call. */
type ClaimShape = { names: string[]; isFolding: boolean; isFrom: boolean | null };

const claiming = fixedEach(({ names, isFolding, isFrom }: ClaimShape, orm, at: At<string>) => {
  const isOurs = eq(streams.leaseToken, at("lease.token"));
  const isFree = lt(streams.leaseUntil, now);
  const isUnmoved = isFolding ? eq(streams.foldedSeq, at("foldedFrom")) : undefined;
  const isForeseen = isFrom === null ? undefined : isAsForeseen(isFrom, at);
  return orm
    .update(streams)
    .set({
      leaseToken: at("lease.token"),
      leaseUntil: leaseEnd(at),
      pokedUntil: 0,
      ...setTo(names, at),
      ...(isFrom === null ? {} : { callingUntil: leaseEnd(at) }),
    })
    .where(and(eq(streams.id, at("lease.id")), or(isOurs, and(isFree, isUnmoved, isForeseen))))
    .returning();
});

const unpoking = fixed((orm, at: At<string>) =>
  orm
    .update(streams)
    .set({ pokedUntil: 0 })
    .where(
      and(
        eq(streams.id, at("lease.id")),
        ne(streams.leaseToken, at("lease.token")),
        gte(streams.leaseUntil, now),
        ne(streams.pokedUntil, 0),
      ),
    ),
);

const leaseLeft = fixed((orm, at: At<"id">) =>
  orm
    .select({ ms: sql<number>`${streams.leaseUntil} - ${now}` })
    .from(streams)
    .where(eq(streams.id, at("id"))),
);

/** The same with a fold, and with a first call. `moved`: the stream is free, but it is not as it was when they were made. */
export async function claimFolding(
  db: D1Database,
  streamId: number,
  ms: number,
  folded: ClaimedFold | null,
  foreseen: Foreseen | null,
): Promise<Claim | { kind: "moved" }> {
  const lease = { streamId, token: crypto.randomUUID(), ms };
  const around = repeatable(db);
  const marks = folded === null ? {} : { foldedSeq: folded.upto, ...folded.marks };
  const shape = {
    names: namesOf({ ...marks, ...foreseen?.values }),
    isFolding: folded !== null,
    isFrom: foreseen === null ? null : foreseen.places.from !== null,
  };
  const values = {
    ...valuesOf(marks),
    ...(folded === null ? {} : { foldedFrom: folded.from }),
    ...(foreseen === null ? {} : foreseenValues(foreseen)),
  };
  const [[claimed], , [row]] = await drizzle(around).batch([
    claiming(around, shape, { ...values, ...leaseValues(lease) }),
    unpoking(around, leaseValues(lease)),
    leaseLeft(around, { id: streamId }),
    ...(folded?.queries(lease.token) ?? []),
    ...(foreseen === null ? [] : placed(around, lease, foreseen.places)),
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
function placed(db: D1Database, lease: Lease, places: Omit<Places, "isIn">) {
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
