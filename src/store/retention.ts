import { and, asc, eq, gte, isNotNull, isNull, lt, lte, ne, or } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { batches, modelRuns, streams, trials, verdicts } from "./schema.ts";

/** So few rows a statement that live writes are not held up. */
const ROWS_A_STATEMENT = 10_000;

/** A stream of which MLflow was found to lack something is not read back again on every pass. */
const LOOK_AGAIN_MS = 86_400_000;

/** Ended trials and model runs that MLflow has had for longer than `ageMs`, and whose journal is still here. */
export async function retirable(
  db: D1Database,
  now: number,
  ageMs: number,
  limit: number,
): Promise<number[]> {
  const rows = await drizzle(db)
    .select({ id: streams.id })
    .from(streams)
    .leftJoin(trials, eq(trials.id, streams.id))
    .leftJoin(modelRuns, eq(modelRuns.id, streams.id))
    .leftJoin(verdicts, eq(verdicts.streamId, streams.id))
    .leftJoin(batches, eq(batches.streamId, streams.id))
    .where(
      and(
        // What came after it was pruned is pruned in its turn.
        or(isNull(streams.prunedAt), lt(streams.prunedAt, streams.deliveredAt)),
        lt(streams.deliveredAt, now - ageMs),
        gte(streams.deliveredSeq, streams.lastSeq),
        isNull(batches.id),
        or(
          isNull(verdicts.verdict),
          ne(verdicts.verdict, "differs"),
          lt(verdicts.checkedAt, now - LOOK_AGAIN_MS),
        ),
        or(isNotNull(trials.endedAt), isNotNull(modelRuns.endedAt)),
      ),
    )
    .orderBy(asc(streams.deliveredAt))
    .limit(limit);
  return rows.map((row) => row.id);
}

/**
 * Deletes a stream's journal rows and points up to `seq`, which MLflow was seen to have. The folded state, summaries,
 * parameters and tags stay.
 * @returns how many events and points went
 */
export async function pruneStream(
  db: D1Database,
  streamId: number,
  seq: number,
  now: number,
): Promise<number> {
  // Marked first: whoever reads the history from here on asks MLflow.
  await drizzle(db)
    .update(streams)
    .set({ prunedAt: now })
    .where(and(eq(streams.id, streamId), lte(streams.deliveredSeq, seq)));
  let deleted = 0;
  for (const statement of [DELETE_POINTS, DELETE_EVENTS]) {
    let changes: number;
    do {
      const result = await db.prepare(statement).bind(streamId, seq, ROWS_A_STATEMENT).run();
      changes = result.meta.changes;
      deleted += changes;
    } while (changes >= ROWS_A_STATEMENT);
  }
  return deleted;
}

const DELETE_POINTS = `
  delete from metric_points where (stream_id, seq, n) in (
    select stream_id, seq, n from metric_points where stream_id = ?1 and seq <= ?2 limit ?3)`;

const DELETE_EVENTS = `
  delete from events where seq in (select seq from events where stream_id = ?1 and seq <= ?2 limit ?3)`;
