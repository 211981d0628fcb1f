import { Bound } from "../sql.ts";
import { CHUNKS_OF_SPAN, FINALS_FROM } from "./chunks.ts";
import type { Unfolded } from "./unfolded.ts";

/**
 * Points that came one by one are a chunk each, which makes a long history slow to read. Once a stretch of events is
 * folded, what few bytes each of its chunks has are joined into one of a key: the last becomes all of them, and the others
 * are deleted, as they would be by pruning, so that it costs one row written for them all.
 */

/** A stretch has so many events, a power of two, and about so many points at most, so that no fold deletes many at once. */
const STRETCH = { least: 16, events: 256, points: 16_384 };
/** So few are not worth it. */
const LEAST_JOINED = 4;
/** What is joined is no longer than this. */
const MAX_BYTES = 100_000;

/** Stretches of a journal, one after the other: the first number of the first, that behind the last, and how many each has. */
export type Stretches = { begin: number; end: number; size: number };

/** Those that are complete with a helping. */
export function completeWith({
  upto,
  events,
  points,
}: Pick<Unfolded, "upto" | "events" | "points">): Stretches {
  const fitting = (STRETCH.points * events.length) / Math.max(1, points.length);
  const size = Math.min(STRETCH.events, Math.max(STRETCH.least, 2 ** Math.floor(Math.log2(fitting))));
  const after = (events[0]?.seq ?? upto) - 1;
  return { begin: after - (after % size), end: upto - (upto % size), size };
}

/**
 * Joins the chunks of some stretches.
 * @param condition for it, of ?2 (the stream) and ?3
 */
export function joinChunks(
  db: D1Database,
  streamId: number,
  { begin, end, size }: Stretches,
  condition: string,
  third: number | string,
): Bound[] {
  if (begin === end) return [];
  return [JOIN, DELETE_JOINED].map(
    (query) => new Bound(db, query(condition), begin, streamId, third, end, size),
  );
}

const STRETCH_OF = (seq: string) => `${seq} / cast(?5 as integer)`;

/** Those of each stretch that lie within it, but for what is being pruned; those of finals stay as they are. */
const OF_STRETCHES = `
  with recursive span (id, after, upto) as (select ?2, ?1 - 1, ?4 - 1), ${CHUNKS_OF_SPAN},
  own as (
    select * from chunk
    where n < ${FINALS_FROM} and seq < ?4 and ${STRETCH_OF("first_seq")} = ${STRETCH_OF("seq")}
      and first_seq > (select max(pruned_seq, coalesce(pruning_seq, 0)) from streams where id = ?2))`;

const INNER = (points: string) => `substr(${points}, 2, length(${points}) - 2)`;

/** The last of each becomes all of them. */
const JOIN = (condition: string) => `
  ${OF_STRETCHES},
  joined as (
    select key, max(seq) as seq, max(n) filter (where is_last) as n, min(first_seq) as first_seq,
      min(min_step) as min_step, max(max_step) as max_step, max(top) as top, max(latest) as latest,
      '[' || group_concat(${INNER("points")}, ',' order by seq, n) || ']' as points
    from (
      select *, row_number() over (partition by key, ${STRETCH_OF("seq")} order by seq desc, n desc) = 1 as is_last from own)
    group by key, ${STRETCH_OF("seq")}
    having count(*) >= ${LEAST_JOINED} and sum(octet_length(points)) <= ${MAX_BYTES})
  insert into metric_chunks (stream_id, key, seq, n, first_seq, min_step, max_step, top, latest, points)
  select ?2, key, seq, n, first_seq, min_step, max_step, top, latest, points from joined where ${condition}
  on conflict do update set first_seq = excluded.first_seq, min_step = excluded.min_step, max_step = excluded.max_step,
    top = excluded.top, latest = excluded.latest, points = excluded.points`;

/** The last of a stretch tells by its own text whether it has the points of another. */
const LAST_OF_STRETCH = `(
  select last.points from metric_chunks last
  where last.stream_id = own.stream_id and last.key = own.key and last.seq < (${STRETCH_OF("own.seq")} + 1) * ?5
    and (last.seq, last.n) > (own.seq, own.n) and last.n < ${FINALS_FROM}
  order by last.seq desc, last.n desc limit 1)`;

const DELETE_JOINED = (condition: string) => `
  ${OF_STRETCHES}
  delete from metric_chunks where (stream_id, key, seq, n) in (
    select stream_id, key, seq, n from own where instr(${LAST_OF_STRETCH}, ${INNER("points")}) > 0) and ${condition}`;
