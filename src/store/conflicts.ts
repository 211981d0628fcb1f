import { drizzle } from "drizzle-orm/d1";
import { conflicts } from "./schema.ts";

/** Records what was said twice and differently; the same conflict again changes nothing. */
export async function recordConflicts(
  db: D1Database,
  rows: readonly (typeof conflicts.$inferInsert)[],
): Promise<void> {
  for (const row of rows) await drizzle(db).insert(conflicts).values(row).onConflictDoNothing();
}
