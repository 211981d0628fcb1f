import { and, eq, gt, isNotNull, or, SQL, sql } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import type { SQLiteUpdateSetSource } from "drizzle-orm/sqlite-core";
import { type At, fixed, fixedEach } from "../fixed.ts";
import { streams } from "../schema/index.ts";
import { NOW_MS } from "../sql.ts";
import { CALLING, type Holder, hasPlace, type Places } from "./callers.ts";

/**
 * Updates of a leased stream, built once for each set of columns: every turn writes its row several times, and drizzle
 * took longer to build an update than the database to do it.
 */

/** One writer per MLflow run: a token, and by the database's clock an end. */
export type Lease = { streamId: number; token: string; ms: number };

/** What a statement may set of a stream. */
export type StreamValues = Partial<typeof streams.$inferInsert>;

/** The same, or expressions for it. */
export type StreamUpdate = SQLiteUpdateSetSource<typeof streams>;

type Plain = string | number | null;
type Room = Omit<Places, "isIn">;

const now = sql.raw(NOW_MS);

/** The names of the columns that are set. */
export function namesOf(values: StreamValues): string[] {
  return Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [name]));
}

/** The values of columns as the database takes them, each under its name after a prefix. */
export function valuesOf(values: StreamValues, prefix = ""): Record<string, Plain> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) =>
      value === undefined ? [] : [[prefix + name, typeof value === "boolean" ? Number(value) : value]],
    ),
  );
}

/** Each column to the value of its name. */
export function setTo(names: readonly string[], at: At<string>): Record<string, SQL> {
  return Object.fromEntries(names.map((name) => [name, at(name)]));
}

/** The values of a lease. */
export function leaseValues({ streamId, token, ms }: Lease): Record<string, Plain> {
  return { "lease.id": streamId, "lease.token": token, "lease.ms": ms };
}

/** The condition that the lease is held, by its values. */
export function held(at: At<string>) {
  return and(eq(streams.id, at("lease.id")), eq(streams.leaseToken, at("lease.token")));
}

/** From now on for as long as the lease is given. */
export function leaseEnd(at: At<string>): SQL {
  return sql`${now} + ${at("lease.ms")}`;
}

/** Whether there is a place to be taken, or one to be had of another. */
export function hasRoom(isFrom: boolean, at: At<string>): SQL {
  const isAnyFree = sql`${sql.raw(CALLING)} < ${at("most")}`;
  return isFrom ? sql`(${isAnyFree} or ${hasPlace(at("from.id"), at("from.token"))})` : isAnyFree;
}

/** The values of `hasRoom`. */
export function roomValues({ most, from }: Room): Record<string, Plain> {
  return { most, ...(from === null ? {} : { "from.id": from.streamId, "from.token": from.token }) };
}

/** Sets columns of the leased stream, and keeps the lease; gives the row. */
function keep(orm: DrizzleD1Database, columns: StreamUpdate, at: At<string>) {
  return orm
    .update(streams)
    .set({ ...columns, leaseUntil: leaseEnd(at), callingUntil: null })
    .where(held(at))
    .returning();
}

const keeping = fixedEach((names: string[], orm, at: At<string>) => keep(orm, setTo(names, at), at));

/** The same as a part of a batch; one with expressions, which are seldom, is built as it is wanted. */
export function keepingUpdate(db: D1Database, lease: Lease, values: StreamUpdate) {
  const given = leaseValues(lease);
  return arePlain(values)
    ? keeping(db, namesOf(values), { ...valuesOf(values), ...given })
    : keep(drizzle(db), values, (name) => sql`${given[name]}`);
}

function arePlain(values: StreamUpdate): values is StreamValues {
  return Object.values(values).every((value) => !(value instanceof SQL));
}

const placing = fixedEach(
  ({ names, isFrom }: { names: string[]; isFrom: boolean | null }, orm, at: At<string>) =>
    orm
      .update(streams)
      .set({
        ...setTo(names, at),
        leaseUntil: leaseEnd(at),
        ...(isFrom === null ? {} : { callingUntil: leaseEnd(at) }),
      })
      .where(
        isFrom === null ? held(at) : and(held(at), or(gt(streams.callingUntil, now), hasRoom(isFrom, at))),
      )
      .returning({ id: streams.id }),
);

/** The same before a call, which takes a place among the callers, or keeps it; null: it needs none. */
export function placingUpdate(db: D1Database, lease: Lease, values: StreamValues, places: Places | null) {
  const shape = { names: namesOf(values), isFrom: places === null ? null : places.from !== null };
  const room = places === null ? {} : roomValues(places);
  return placing(db, shape, { ...valuesOf(values), ...leaseValues(lease), ...room });
}

const handing = fixed((orm, at: At<string>) =>
  orm
    .update(streams)
    .set({ callingUntil: null })
    .where(
      and(
        eq(streams.id, at("from.id")),
        eq(streams.leaseToken, at("from.token")),
        isNotNull(streams.callingUntil),
        hasPlace(at("lease.id"), at("lease.token")),
      ),
    ),
);

/** Takes the place of another that has handed it on to this lease. */
export function handOn(db: D1Database, from: Holder, lease: Lease) {
  const values = { "from.id": from.streamId, "from.token": from.token };
  return handing(db, { ...values, ...leaseValues(lease) });
}

const releasing = fixedEach((names: string[], orm, at: At<string>) => {
  const unpoked = sql`${streams.lastSeq} > ${streams.foldedSeq} and ${streams.pokedUntil} < ${at("now")}`;
  return orm
    .update(streams)
    .set({
      ...setTo(names, at),
      leaseToken: null,
      leaseUntil: 0,
      callingUntil: null,
      pokedUntil: sql`case when ${unpoked} then ${at("mark")} else ${streams.pokedUntil} end`,
    })
    .where(held(at))
    .returning();
});

/** Gives the lease back; where events came that nobody was poked for, the mark of a poke is set. */
export function releasingUpdate(
  db: D1Database,
  lease: Lease,
  values: StreamValues,
  poke: { now: number; mark: number },
) {
  return releasing(db, namesOf(values), { ...valuesOf(values), ...leaseValues(lease), ...poke });
}
