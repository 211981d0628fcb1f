import { and, eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { conflicts } from "./schema.ts";
import { overRows } from "./sql.ts";

/**
 * Records what was said twice and differently. The same conflict again changes nothing while it is open; one of a merge
 * that was resolved is open again with its new values, for it was made anew. The others are found again each time that
 * somebody looks, so that what an operator has settled about them stays settled.
 */
export async function recordConflicts(
  db: D1Database,
  rows: readonly (typeof conflicts.$inferInsert)[],
): Promise<void> {
  const statements = overRows(
    db,
    RECORD,
    rows.map((row) => [
      row.streamId,
      row.kind,
      row.field,
      row.kept ?? null,
      row.refused,
      row.source,
      row.eventId ?? null,
      row.createdAt,
      row.base ?? null,
      row.relayValue ?? null,
      row.mlflowValue ?? null,
      row.decision ?? null,
    ]),
  );
  if (statements.length > 0) await db.batch(statements);
}

const RECORD = `
  insert into conflicts (stream_id, kind, field, kept, refused, source, event_id, created_at, base, relay_value,
    mlflow_value, decision)
  select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
    value ->> 8, value ->> 9, value ->> 10, value ->> 11
  from json_each(?1) where true
  on conflict (stream_id, kind, field, refused) do update set
    kept = excluded.kept, source = excluded.source, event_id = excluded.event_id, created_at = excluded.created_at,
    base = excluded.base, relay_value = excluded.relay_value, mlflow_value = excluded.mlflow_value,
    decision = excluded.decision, state = 'open', resolution = null, resolved_at = null
  where conflicts.state = 'resolved' and excluded.kind in ('name', 'status', 'tag', 'description', 'double_run')`;

/** Whether this stream was refused the MLflow run that its trainer asked for; also when that was settled by hand. */
export async function hasRefusedRun(db: D1Database, streamId: number, runId: string): Promise<boolean> {
  const row = await drizzle(db)
    .select({ id: conflicts.id })
    .from(conflicts)
    .where(and(eq(conflicts.streamId, streamId), eq(conflicts.kind, "run_id"), eq(conflicts.refused, runId)))
    .get();
  return row !== undefined;
}
