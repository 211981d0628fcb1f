import { and, eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { ending, repeatable } from "../database/counted.ts";
import { locks } from "../schema/index.ts";
import { NOW_MS, TOO_LATE } from "../sql.ts";

/**
 * Takes a named lock for so long; null when another has it.
 * @param token of who is to have it though it took it before and died; as a rule nobody has it twice
 */
export async function lock(
  db: D1Database,
  name: string,
  ms: number,
  token: string = crypto.randomUUID(),
): Promise<string | null> {
  const until = sql`${sql.raw(NOW_MS)} + ${ms}`;
  const rows = await drizzle(repeatable(db))
    .insert(locks)
    .values({ name, token, until })
    .onConflictDoUpdate({
      target: locks.name,
      set: { token, until },
      // Or ours, where the answer was lost when it was taken; or of a clock that was far ahead.
      setWhere: sql`${locks.until} < ${sql.raw(NOW_MS)} or ${locks.token} = ${token} or ${locks.until} > ${sql.raw(TOO_LATE)}`,
    })
    .returning();
  return rows[0]?.token === token ? token : null;
}

/** Has a lock that is still ours end so long from now. */
export async function renewLock(db: D1Database, name: string, token: string, ms: number): Promise<void> {
  await drizzle(ending(repeatable(db)))
    .update(locks)
    .set({ until: sql`${sql.raw(NOW_MS)} + ${ms}` })
    .where(and(eq(locks.name, name), eq(locks.token, token)));
}

/** Gives a lock back, if it is still ours. */
export async function unlock(db: D1Database, name: string, token: string): Promise<void> {
  await drizzle(ending(repeatable(db)))
    .delete(locks)
    .where(and(eq(locks.name, name), eq(locks.token, token)));
}
