import * as z from "zod";
import type { WireNumber } from "../../domain/values.ts";

/** One observation; `timestamp` in epoch milliseconds. */
export type StoredObservation = { value: WireNumber; timestamp: number; step: number };

/** A metric's points in MLflow's order: by time, step and value, where NaN counts as 0. Those before an offset are left out. */
export async function historyPage(
  db: D1Database,
  streamId: number,
  key: string,
  { offset, limit }: { offset: number; limit: number },
): Promise<StoredObservation[]> {
  type Row = { step: number; timestamp: number; value: string };
  const { results } = await db.prepare(PAGE).bind(streamId, key, limit, offset).all<Row>();
  return results.map((row) => ({ ...row, value: stored.parse(JSON.parse(row.value)) }));
}

const stored = z.union([z.number(), z.string()]);

/** The value as JSON: of a number the database itself might lose digits. */
const PAGE = `
  select step, timestamp, value
  from (
    select p.value ->> 2 as step, p.value ->> 3 as timestamp, p.value -> 4 as value, p.value ->> 4 as number
    from metric_chunks c cross join json_each(c.points) p where c.stream_id = ?1 and c.key = ?2)
  order by timestamp, step,
    case number when 'NaN' then 0 when 'Infinity' then 9e999 when '-Infinity' then -9e999 else number end
  limit ?3 offset ?4`;
