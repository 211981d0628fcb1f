import { type SQL, type SQLWrapper, sql } from "drizzle-orm";
import * as z from "zod";
import type { StoredPoint } from "../../domain/fold.ts";
import { CHUNKS_OF_SPAN } from "./chunks.ts";

const json = z.string().transform((text): unknown => JSON.parse(text));
const stored = z
  .tuple([z.number(), z.number(), z.number(), z.number(), z.union([z.number(), z.string()])])
  .transform(([seq, n, step, timestamp, value]) => ({ seq, n, step, timestamp, value }));
const chunk = json.pipe(z.array(stored));

/** The points of a chunk, from their text. */
export function readPoints(text: string): Omit<StoredPoint, "key">[] {
  return chunk.parse(text).map(({ seq, step, timestamp, value }) => ({ seq, step, timestamp, value }));
}

/** A query for the chunks that have points of a stream's events after one, up to another. */
export function chunksBetween(streamId: number | SQLWrapper, after: number | SQLWrapper, upto: SQL): SQL {
  return sql`
    with recursive span (id, after, upto) as materialized (select ${streamId}, ${after}, ${upto}), ${sql.raw(CHUNKS_OF_SPAN)}
    select key, points from chunk`;
}

/** The points of some events, which are a stretch of their journal, in order of acceptance; of chunks that have others too. */
export function pointsOf(
  chunks: readonly { key: string; points: string }[],
  events: readonly { seq: number }[],
): StoredPoint[] {
  const [from = 0, upto = 0] = [events[0]?.seq, events.at(-1)?.seq];
  return chunks
    .flatMap(({ key, points }) => chunk.parse(points).map((point) => ({ key, ...point })))
    .filter(({ seq }) => seq >= from && seq <= upto)
    .sort((a, b) => a.seq - b.seq || a.n - b.n)
    .map(({ seq, key, value, step, timestamp }) => ({ seq, key, value, step, timestamp }));
}
