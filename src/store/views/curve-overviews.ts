import type { CurvePoint } from "../../domain/curve.ts";
import type { Named } from "../journal/chunk-window.ts";
import { overRows } from "../sql.ts";
import { readPoints } from "./curve-points.ts";

/** Thinned curves as they were read before: a long history is gone through once. */

/** Of the events up to `seq`. */
export type Overview = Named & { seq: number; points: CurvePoint[] };

export async function readOverviews(db: D1Database, curves: readonly Named[]): Promise<Overview[]> {
  const asked = JSON.stringify(curves.map(({ streamId, key }) => [streamId, key]));
  const { results } = await db.prepare(READ).bind(asked).all<Named & { seq: number; points: string }>();
  return results.map(({ points, ...row }) => ({ ...row, points: readPoints(points) }));
}

/**
 * Keeps thinned curves, but none that is older than what is there, and none whose trial was pruned meanwhile: it may
 * not be whole.
 * @param now epoch milliseconds
 */
export async function storeOverviews(
  db: D1Database,
  overviews: readonly (Overview & { prunedSeq: number })[],
  now: number,
): Promise<void> {
  const rows = overviews.map(({ streamId, key, seq, points, prunedSeq }) => [
    streamId,
    key,
    seq,
    JSON.stringify(points),
    prunedSeq,
  ]);
  const statements = overRows(db, STORE, rows, now);
  if (statements.length > 0) await db.batch(statements);
}

/** Forgets those that were made before a time, at most so many; how many went. */
export async function pruneOverviews(db: D1Database, before: number, limit: number): Promise<number> {
  return (await db.prepare(PRUNE).bind(before, limit).run()).meta.changes;
}

const READ = `
  select o.stream_id as streamId, o.key, o.seq, o.points
  from json_each(?1) asked
  join curve_overviews o on o.stream_id = asked.value ->> 0 and o.key = asked.value ->> 1`;

const STORE = `
  insert into curve_overviews (stream_id, key, seq, points, built_at)
  select row.value ->> 0, row.value ->> 1, row.value ->> 2, row.value ->> 3, ?2
  from json_each(?1) row join streams s on s.id = row.value ->> 0
  where max(s.pruned_seq, coalesce(s.pruning_seq, 0)) = row.value ->> 4
  on conflict (stream_id, key) do update set seq = excluded.seq, points = excluded.points, built_at = excluded.built_at
  where excluded.seq > curve_overviews.seq`;

const PRUNE = `
  delete from curve_overviews where (stream_id, key) in (
    select stream_id, key from curve_overviews where built_at < ?1 order by built_at limit ?2)`;
