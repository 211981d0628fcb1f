import { and, eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { conflicts } from "./schema.ts";

/** Records what was said twice and differently; the same conflict again changes nothing. */
export async function recordConflicts(
  db: D1Database,
  rows: readonly (typeof conflicts.$inferInsert)[],
): Promise<void> {
  for (const row of rows) await drizzle(db).insert(conflicts).values(row).onConflictDoNothing();
}

/** Whether this stream was refused the MLflow run that its trainer asked for. */
export async function hasRefusedRun(db: D1Database, streamId: number, runId: string): Promise<boolean> {
  const row = await drizzle(db)
    .select({ id: conflicts.id })
    .from(conflicts)
    .where(and(eq(conflicts.streamId, streamId), eq(conflicts.kind, "run_id"), eq(conflicts.refused, runId)))
    .get();
  return row !== undefined;
}
