import { and, eq, gte, lt, ne, or, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Marks } from "../../domain/core.ts";
import { ending, repeatable } from "../database/counted.ts";
import { type At, fixed, fixedEach } from "../fixed.ts";
import { batches, streams } from "../schema/index.ts";
import { type Bound, NOW_MS } from "../sql.ts";
import type { Places } from "./callers.ts";
import {
  hasRoom,
  type Lease,
  leaseEnd,
  leaseValues,
  namesOf,
  roomValues,
  type StreamValues,
  setTo,
  valuesOf,
} from "./held-update.ts";
import { placed, type StreamRow } from "./leases.ts";
import { moveRowBatch, NO_ROW_BATCH } from "./row-batch.ts";

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
