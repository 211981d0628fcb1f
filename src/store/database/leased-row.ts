import { NOW_MS } from "../sql.ts";
import { ending, repeatable } from "./counted.ts";

/** What is brought to MLflow row by row, each under a lease of its own: what those tables have in common. */
type Table = "gateway_experiments" | "gateway_models" | "artifacts";

/**
 * Takes the lease of the row ?1, with the token ?2 and for ?3 ms, where MLflow has not all of it and it is due by ?4. It may
 * be repeated: where the answer was lost when it was taken, it is ours already.
 */
export const takeLease = (table: Table) => `
  update ${table} set lease_token = ?2, lease_until = ${NOW_MS} + ?3
  where id = ?1 and (lease_token = ?2
    or (lease_until < ${NOW_MS} and delivered_version < version and next_attempt_at <= ?4))`;

/** What a row says once its lease is given back, and nobody may take it while a call may still land: so many ms. */
export const giveBack = (ms: `?${number}`) =>
  `lease_token = null, lease_until = iif(${ms} > 0, ${NOW_MS} + ${ms}, 0), attempts = attempts + 1`;

type Leased = { id: string | number; token: string };

/**
 * Does something under a lease, which is given back at once where that throws: whoever comes next need not wait until it
 * ends. Not for what may leave a call behind that can still land.
 */
export async function whileHeld<T>(
  db: D1Database,
  table: Table,
  lease: Leased,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await letGo(db, table, lease).catch(() => undefined);
    throw error;
  }
}

async function letGo(db: D1Database, table: Table, { id, token }: Leased): Promise<void> {
  await ending(repeatable(db))
    .prepare(`update ${table} set lease_token = null, lease_until = 0 where id = ?1 and lease_token = ?2`)
    .bind(id, token)
    .run();
}

/** Has a lease that is still ours end so long from now. */
export async function renewRow(
  db: D1Database,
  table: Table,
  { id, token }: Leased,
  ms: number,
): Promise<void> {
  await db
    .prepare(`update ${table} set lease_until = ${NOW_MS} + ?3 where id = ?1 and lease_token = ?2`)
    .bind(id, token, ms)
    .run();
}
