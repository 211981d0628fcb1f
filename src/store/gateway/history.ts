import * as z from "zod";
import type { WireNumber } from "../../domain/values.ts";
import { bindWindow, EVERYTHING, POINTS_IN_WINDOW } from "../journal/chunk-window.ts";

/** One observation; `timestamp` in epoch milliseconds. */
export type StoredObservation = { value: WireNumber; timestamp: number; step: number };

/** A part of a history: of the points with these steps so many, behind those before an offset. */
export type Part = { steps: { from: number; to: number }; offset: number; limit: number };

/** A metric's points in MLflow's order: by time, step and value, where NaN counts as 0. */
export async function historyPage(
  db: D1Database,
  streamId: number,
  key: string,
  { steps, offset, limit }: Part,
): Promise<StoredObservation[]> {
  type Row = { step: number; timestamp: number; value: string };
  const window = { ...EVERYTHING, steps: [steps.from, steps.to] as const };
  const page = bindWindow(db, PAGE, { streamId, key }, window, limit, offset);
  const { results } = await page.all<Row>();
  return results.map((row) => ({ ...row, value: stored.parse(JSON.parse(row.value)) }));
}

const stored = z.union([z.number(), z.string()]);

/** The value as JSON: of a number the database itself might lose digits. */
const PAGE = `
  select step, timestamp, value
  from (
    select p.value ->> 2 as step, p.value ->> 3 as timestamp, p.value -> 4 as value, p.value ->> 4 as number
    ${POINTS_IN_WINDOW})
  order by timestamp, step,
    case number when 'NaN' then 0 when 'Infinity' then 9e999 when '-Infinity' then -9e999 else number end
  limit ?7 offset ?8`;
