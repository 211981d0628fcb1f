import { and, eq, gt, lte, ne, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { ending } from "../database/counted.ts";
import { type At, fixed } from "../fixed.ts";
import { breakers } from "../schema/index.ts";
import { NOW_MS, TOO_LATE } from "../sql.ts";

/** The circuit breaker's row, one for each tracking server; none stands for closed, with nothing ever gone wrong. */
export type Breaker = typeof breakers.$inferSelect;

type Values = Partial<Omit<Breaker, "server" | "state">>;

const of = (server: string) => eq(breakers.server, server);
const isIn = (server: string, state: Breaker["state"]) => and(of(server), eq(breakers.state, state));

/** A server's row, or null. */
export async function breakerOf(db: D1Database, server: string): Promise<Breaker | null> {
  const [[row]] = await drizzle(db).batch([breakerRow(db, { server })]);
  return row ?? null;
}

/** The query for it. */
export const breakerRow = fixed((orm, at: At<"server">) =>
  orm
    .select()
    .from(breakers)
    .where(eq(breakers.server, at("server"))),
);

/** Has the count of failures in a row start anew, where there is one. */
export async function forgetFailures(db: D1Database, server: string, now: number): Promise<void> {
  await drizzle(ending(db))
    .update(breakers)
    .set({ failures: 0, updatedAt: now })
    .where(and(isIn(server, "closed"), gt(breakers.failures, 0)));
}

/** Counts a failure; the row after it. */
export async function countFailure(
  db: D1Database,
  server: string,
  lastError: string,
  now: number,
): Promise<Breaker | null> {
  const [row] = await drizzle(ending(db))
    .insert(breakers)
    .values({ server, failures: 1, lastError, updatedAt: now })
    .onConflictDoUpdate({
      target: breakers.server,
      set: { failures: sql`${breakers.failures} + 1`, lastError, updatedAt: now },
    })
    .returning();
  return row ?? null;
}

/** Opens the breaker; false where it was open. */
export async function openBreaker(
  db: D1Database,
  server: string,
  values: Values,
  now: number,
): Promise<boolean> {
  const opened = { ...values, state: "open" as const, openedAt: now, probes: 0, updatedAt: now };
  const rows = await drizzle(ending(db))
    .insert(breakers)
    .values({ server, ...opened })
    .onConflictDoUpdate({ target: breakers.server, set: opened, setWhere: ne(breakers.state, "open") })
    .returning();
  return rows.length > 0;
}

/**
 * Takes the probe of an open breaker until a time; null where it is not open, or not due.
 * @param dueBy by when the probe must be due; null: whenever
 */
export async function takeProbe(
  db: D1Database,
  server: string,
  until: number,
  dueBy: number | null,
): Promise<Breaker | null> {
  const [taken] = await drizzle(db)
    .update(breakers)
    .set({ probeAt: until, probes: sql`${breakers.probes} + 1` })
    .where(and(isIn(server, "open"), dueBy === null ? undefined : lte(breakers.probeAt, dueBy)))
    .returning();
  return taken ?? null;
}

/** Writes down what a probe found of a breaker that stays open. */
export async function keepOpen(db: D1Database, server: string, values: Values): Promise<void> {
  await drizzle(db).update(breakers).set(values).where(isIn(server, "open"));
}

/** Closes the breaker. */
export async function closeBreaker(db: D1Database, server: string, now: number): Promise<void> {
  const closed = { failures: 0, probes: 0, openedAt: null, alarm: false, updatedAt: now };
  await drizzle(db)
    .update(breakers)
    .set({ ...closed, state: "closed" })
    .where(of(server));
}

/**
 * Takes the next places in the row of calls to a server, which are an interval apart.
 * @returns how many milliseconds are left until the first
 */
export async function takePlaces(
  db: D1Database,
  server: string,
  { places, intervalMs }: { places: number; intervalMs: number },
  at: number,
): Promise<number> {
  const now = sql.raw(NOW_MS);
  const ms = places * intervalMs;
  // So far ahead is only a clock that was.
  const last = sql`iif(${breakers.nextCallAt} > ${sql.raw(TOO_LATE)}, 0, ${breakers.nextCallAt})`;
  const next = sql`max(${last}, ${now}) + ${ms}`;
  const [row] = await drizzle(db)
    .insert(breakers)
    .values({ server, nextCallAt: sql`${now} + ${ms}`, updatedAt: at })
    .onConflictDoUpdate({ target: breakers.server, set: { nextCallAt: next } })
    .returning({ waitMs: sql<number>`${breakers.nextCallAt} - ${ms} - ${now}` });
  return row?.waitMs ?? 0;
}
