import { type SQL, sql } from "drizzle-orm";
import { Bound, NOW_MS } from "../sql.ts";

/** Whoever has the lease of a stream. */
export type Holder = { streamId: number; token: string };

/**
 * How many streams may call MLflow at once, whether this one has a place among them already, and whose place it may take
 * over; null: nobody's.
 */
export type Places = { most: number; isIn: boolean; from: Holder | null };

/** So many streams are remembered for each that may call at once: while they take turns, a place costs no row. */
const REMEMBERED = 4;

/** How many streams have a place among the callers now. */
export const CALLING = `(
  select count(*) from callers c join streams o on o.id = c.stream_id where o.calling_until > ${NOW_MS})`;

/** Whether the holder of a stream's lease has a place, by where their values stand in a query. */
export function hasPlace(streamId: SQL, token: SQL): SQL {
  return sql`exists (
    select 1 from streams o
    where o.id = ${streamId} and o.lease_token = ${token} and o.calling_until > ${sql.raw(NOW_MS)})`;
}

/** Puts a leased stream that has just been given a place among the callers, where it is not there yet. */
export function enlist(db: D1Database, lease: Holder, { most }: Pick<Places, "most">): Bound {
  return new Bound(db, ENLIST, lease.streamId, lease.token, most * REMEMBERED);
}

/** In a free number, else in that of one who has no place now; of those there are always some. */
const ENLIST = `
  with own(n) as (select count(*) from callers),
    idle(n) as (
      select min(c.n) from callers c left join streams o on o.id = c.stream_id
      where coalesce(o.calling_until, 0) <= ${NOW_MS})
  insert into callers (n, stream_id)
  select iif(own.n < ?3, own.n + 1, idle.n), ?1 from own, idle
  where exists (select 1 from streams where id = ?1 and lease_token = ?2 and calling_until > ${NOW_MS})
    and not exists (select 1 from callers where stream_id = ?1)
  on conflict (n) do update set stream_id = excluded.stream_id`;
