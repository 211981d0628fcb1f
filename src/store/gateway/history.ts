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
  const { results } = await db.prepare(PAGE).bind(streamId, key, limit, offset).all<StoredObservation>();
  return results;
}

const PAGE = `
  select step, timestamp, value from metric_points where stream_id = ?1 and key = ?2
  order by timestamp, step,
    case value when 'NaN' then 0 when 'Infinity' then 9e999 when '-Infinity' then -9e999 else value end
  limit ?3 offset ?4`;
