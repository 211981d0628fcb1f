import { MAX_STEP, MIN_STEP } from "../../domain/limits.ts";

/** The points of a key within a window, for a reader of its history. `bindWindow` binds what these conditions ask. */

export type Named = { streamId: number; key: string };

/** A part of a history: steps, and epoch milliseconds, both ends in it. */
export type Window = { steps: readonly [number, number]; times: readonly [number, number] };

export const EVERYTHING: Window = { steps: [MIN_STEP, MAX_STEP], times: [MIN_STEP, MAX_STEP] };

/** Whether a step, or a time, is in that part of a window. */
export const isIn = (at: number, [from, to]: readonly [number, number]) => at >= from && at <= to;

/** Binds a key and a window as ?1 to ?6. */
export function bindWindow(
  db: D1Database,
  query: string,
  { streamId, key }: Named,
  { steps, times }: Window,
  ...more: unknown[]
): D1PreparedStatement {
  return db.prepare(query).bind(streamId, key, ...steps, ...times, ...more);
}

/** No `seq` is above twice this: a power of 2. */
const HALF_OF_SEQS = 2 ** 40;

/**
 * The `seq` up to which no chunk of the key has a step from ?3 on. `top` never falls, so that it is found by halving: a
 * part of a curve may be far from its end.
 */
const BEFORE_WINDOW = `(
  with recursive search (low, width) as (
    select 0, iif(?3 > ${MIN_STEP}, ${HALF_OF_SEQS}, 0)
    union all
    select iif(coalesce((
      select c.top from metric_chunks c where c.stream_id = ?1 and c.key = ?2 and c.seq <= low + width
      order by c.seq desc, c.n desc limit 1) < ?3, true), low + width, low), width / 2
    from search where width > 0)
  select max(low) from search)`;

/** A chunk `c` may have points in the window. */
export const HAS_WINDOW = `
  c.stream_id = ?1 and c.key = ?2 and c.seq > ${BEFORE_WINDOW}
  and c.max_step >= ?3 and c.min_step <= ?4 and c.latest >= ?5`;

const ALL_STEPS = "c.min_step >= ?3 and c.max_step <= ?4";
const ALL_TIMES = `?5 <= ${MIN_STEP} and ?6 >= ${MAX_STEP}`;

/** All points of such a chunk are in it: none need be looked at. */
export const IS_WITHIN = `(${ALL_STEPS} and ${ALL_TIMES})`;

/** A point `p` of such a chunk is in it. */
export const IS_IN_WINDOW = `
  (${ALL_STEPS} or p.value ->> 2 between ?3 and ?4) and (${ALL_TIMES} or p.value ->> 3 between ?5 and ?6)`;

/** The points `p` in it, as chunks have them, with their chunks. */
export const POINTS_IN_WINDOW = `
  from metric_chunks c cross join json_each(c.points) p where ${HAS_WINDOW} and ${IS_IN_WINDOW}`;
