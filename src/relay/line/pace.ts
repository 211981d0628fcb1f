import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { breakers } from "../../store/schema/index.ts";
import { NOW_MS } from "../../store/sql.ts";
import type { Deps } from "../deps.ts";
import { serverOf } from "./breaker.ts";

/**
 * Waits for this call's place in the row, where calls a second are bounded (Databricks takes 47 log-batch calls a
 * second). The row is in D1, so the bound holds for all isolates together; it is short, because so are the turns
 * that may call at once.
 */
export async function pace(deps: Pick<Deps, "db" | "config" | "now">): Promise<void> {
  const { maxCallsPerSecond } = deps.config;
  if (maxCallsPerSecond === 0) return;
  const intervalMs = Math.ceil(1000 / maxCallsPerSecond);
  const now = sql.raw(NOW_MS);
  const next = sql`max(${breakers.nextCallAt}, ${now}) + ${intervalMs}`;
  const [row] = await drizzle(deps.db)
    .insert(breakers)
    .values({ server: serverOf(deps), nextCallAt: sql`${now} + ${intervalMs}`, updatedAt: deps.now() })
    .onConflictDoUpdate({ target: breakers.server, set: { nextCallAt: next } })
    .returning({ waitMs: sql<number>`${breakers.nextCallAt} - ${intervalMs} - ${now}` });
  if (row && row.waitMs > 0) await new Promise((resolve) => setTimeout(resolve, row.waitMs));
}
