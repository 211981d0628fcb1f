import { drizzle } from "drizzle-orm/d1";
import { deadLetters } from "./schema.ts";

/** Keeps an item that MLflow will never take, whole, with the reason. The same item again changes nothing. */
export async function bury(db: D1Database, row: typeof deadLetters.$inferInsert): Promise<void> {
  await drizzle(db).insert(deadLetters).values(row).onConflictDoNothing();
}
