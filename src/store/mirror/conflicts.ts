import { and, eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { isPrunedSince } from "../journal/retention.ts";
import { conflicts } from "../schema/index.ts";
import { overRows } from "../sql.ts";

export type Conflict = typeof conflicts.$inferInsert;

/**
 * Records what was said twice and differently. The same conflict again changes nothing while it is open; one of a merge
 * that was resolved, or has other values now, is open with these, for it was made anew. The others are found again each
 * time that somebody looks, so that what an operator has settled about them stays settled.
 * @returns how many of them are news
 */
export async function recordConflicts(db: D1Database, rows: readonly Conflict[]): Promise<number> {
  const statements = overRows(db, RECORD, rows.map(toRow));
  if (statements.length === 0) return 0;
  const results = await db.batch(statements);
  return results.reduce((sum, { results }) => sum + results.length, 0);
}

/** The streams of which any of these would be news. Looks only. */
export async function streamsWithNewConflicts(
  db: D1Database,
  rows: readonly Conflict[],
): Promise<Set<number>> {
  const statements = overRows(db, NEWS, rows.map(toRow));
  if (statements.length === 0) return new Set();
  const found = await db.batch<{ id: number }>(statements);
  return new Set(found.flatMap(({ results }) => results.map(({ id }) => id)));
}

function toRow(row: Conflict) {
  return [
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
  ];
}

/** What one merge, or one create, made: it is not there for whoever looks again. */
const MADE_ANEW = "'name', 'status', 'tag', 'description', 'double_run'";

/** Of a conflict `c` that is there already, whether it is made anew by one of this kind and with these values. */
const isAnew = (kind: string, kept: string, relayValue: string, mlflowValue: string) => `
  ${kind} in (${MADE_ANEW}) and (c.state = 'resolved'
    or c.kept is not ${kept} or c.relay_value is not ${relayValue} or c.mlflow_value is not ${mlflowValue})`;

const RECORD = `
  insert into conflicts as c (stream_id, kind, field, kept, refused, source, event_id, created_at, base, relay_value,
    mlflow_value, decision)
  select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
    value ->> 8, value ->> 9, value ->> 10, value ->> 11
  from json_each(?1) where true
  on conflict (stream_id, kind, field, refused) do update set
    kept = excluded.kept, source = excluded.source, event_id = excluded.event_id, created_at = excluded.created_at,
    base = excluded.base, relay_value = excluded.relay_value, mlflow_value = excluded.mlflow_value,
    decision = excluded.decision, state = 'open', resolution = null, resolved_at = null
  where ${isAnew("excluded.kind", "excluded.kept", "excluded.relay_value", "excluded.mlflow_value")}
  returning id`;

const NEWS = `
  select distinct given.value ->> 0 as id from json_each(?1) given left join conflicts c on c.stream_id = given.value ->> 0
    and c.kind = given.value ->> 1 and c.field = given.value ->> 2 and c.refused = given.value ->> 4
  where c.id is null or (${isAnew("c.kind", "given.value ->> 3", "given.value ->> 9", "given.value ->> 10")})`;

/**
 * Deletes conflicts that were resolved before a time, at most so many, but for those that whoever looks again would
 * find again: what was settled about them stays settled.
 */
export async function deleteResolved(db: D1Database, before: number, limit: number): Promise<number> {
  return (await db.prepare(DELETE_RESOLVED).bind(before, limit).run()).meta.changes;
}

/**
 * Two parameters of a journal are compared once, when they are folded, and never again when it is pruned. Which conflicts
 * may go at all is written out as in their index.
 */
const DELETE_RESOLVED = `
  delete from conflicts where id in (
    select c.id from conflicts c indexed by conflicts_passing join streams s on s.id = c.stream_id
    where c.state = 'resolved' and (c.kind in (${MADE_ANEW}) or (c.kind = 'param' and c.source = 'journal'))
      and c.resolved_at < ?1 and (c.kind <> 'param' or ${isPrunedSince("c.resolved_at")})
    order by c.resolved_at limit ?2)`;

/** Whether this stream was refused the MLflow run that its trainer asked for; also when that was settled by hand. */
export async function hasRefusedRun(db: D1Database, streamId: number, runId: string): Promise<boolean> {
  const row = await drizzle(db)
    .select({ id: conflicts.id })
    .from(conflicts)
    .where(and(eq(conflicts.streamId, streamId), eq(conflicts.kind, "run_id"), eq(conflicts.refused, runId)))
    .get();
  return row !== undefined;
}
