import { and, desc, eq, lt } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { iso } from "./read-common.ts";
import type { Position } from "./read-order.ts";
import { conflicts, streams } from "./schema.ts";

/** The latest conflicts of a page, and one more. */
export async function listConflicts(db: D1Database, after: Position | null, limit: number) {
  const rows = await drizzle(db)
    .select({
      id: conflicts.id,
      kind: conflicts.kind,
      field: conflicts.field,
      kept: conflicts.kept,
      refused: conflicts.refused,
      source: conflicts.source,
      eventId: conflicts.eventId,
      createdAt: conflicts.createdAt,
      ...owner,
    })
    .from(conflicts)
    .leftJoin(streams, and(eq(streams.id, conflicts.streamId)))
    .where(after === null ? undefined : lt(conflicts.id, Number(after.id)))
    .orderBy(desc(conflicts.id))
    .limit(limit + 1);
  return rows.map((row) => ({
    ...conflictView(row),
    ...ownerView(row),
    position: { value: null, id: row.id },
  }));
}

/** The columns that say whose a row is. */
export const owner = {
  streamKey: streams.key,
  streamKind: streams.kind,
  modelRunId: streams.modelRunId,
  trialId: streams.trialId,
};

type Owner = {
  streamKey: string | null;
  streamKind: "trial" | "model_run" | null;
  modelRunId: string | null;
  trialId: string | null;
};

/** Whose it is: the trial by its public id and the trainer's, or the model run by its own. */
export function ownerView(row: Owner) {
  return {
    trial: row.streamKind === "trial" ? row.streamKey : null,
    trial_id: row.trialId,
    model_run_id: row.modelRunId,
  };
}

type ConflictRow = Omit<typeof conflicts.$inferSelect, "streamId">;

/** A conflict as the API shows it. */
export function conflictView(row: ConflictRow) {
  return {
    id: row.id,
    kind: row.kind,
    field: row.field,
    kept: row.kept,
    refused: row.refused,
    source: row.source,
    event_id: row.eventId,
    created_at: iso(row.createdAt),
  };
}
