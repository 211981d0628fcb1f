import { and, desc, eq, lt, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Conflict, TrialConflict } from "../../answers/trials.ts";
import type { CONFLICT_KINDS, CONFLICT_STATES } from "../../domain/words.ts";
import { iso, ofOwner, owner, ownerView } from "../listing/common.ts";
import type { Position } from "../listing/order.ts";
import { conflicts, streams } from "../schema/index.ts";

export type ConflictFilter = {
  state?: (typeof CONFLICT_STATES)[number] | undefined;
  kind?: (typeof CONFLICT_KINDS)[number] | undefined;
  model_run_id?: string | undefined;
  trial_id?: string | undefined;
  ids?: number[] | undefined;
};

/** The conflicts that a filter means; of a field that is not given, all. */
export function conflictCondition(filter: ConflictFilter): SQL | undefined {
  const given = <T>(value: T | undefined, condition: (value: T) => SQL) =>
    value === undefined ? undefined : condition(value);
  const { plus, owned } = ofOwner(conflicts.streamId, filter);
  return and(
    given(filter.state, (state) => sql`${plus}${conflicts.state} = ${state}`),
    given(filter.kind, (kind) => sql`${plus}${conflicts.kind} = ${kind}`),
    owned,
    given(filter.ids, (ids) => sql`${conflicts.id} in (select value from json_each(${JSON.stringify(ids)}))`),
  );
}

/** The latest conflicts of a page, and one more. */
export async function listConflicts(
  db: D1Database,
  filter: ConflictFilter,
  after: Position | null,
  limit: number,
) {
  const rows = await owned(db)
    .where(and(conflictCondition(filter), after === null ? undefined : lt(conflicts.id, Number(after.id))))
    .orderBy(desc(conflicts.id))
    .limit(limit + 1);
  return rows.map((row) => ({
    ...conflictView(row.conflict),
    ...ownerView(row.owner),
    position: { value: null, id: row.conflict.id },
  }));
}

/** One conflict by its number, or null. */
export async function readConflict(db: D1Database, id: number): Promise<Conflict | null> {
  const row = await owned(db).where(eq(conflicts.id, id)).get();
  return row ? { ...conflictView(row.conflict), ...ownerView(row.owner) } : null;
}

function owned(db: D1Database) {
  return drizzle(db)
    .select({ conflict: conflicts, owner })
    .from(conflicts)
    .innerJoin(streams, eq(streams.id, conflicts.streamId));
}

/** A conflict as the API shows it. */
export function conflictView(row: typeof conflicts.$inferSelect): TrialConflict {
  return {
    id: row.id,
    kind: row.kind,
    field: row.field,
    kept: row.kept,
    refused: row.refused,
    source: row.source,
    event_id: row.eventId,
    base: row.base,
    relay_value: row.relayValue,
    mlflow_value: row.mlflowValue,
    decision: row.decision,
    state: row.state,
    resolution: row.resolution,
    created_at: iso(row.createdAt),
    resolved_at: iso(row.resolvedAt),
  };
}
