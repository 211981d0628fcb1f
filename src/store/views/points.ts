import type { Series } from "../../answers/trials.ts";
import { downsample } from "../../domain/downsample.ts";
import { compareByRecency } from "../../domain/observations.ts";
import { UNPLANNED_FINALS } from "./finals.ts";

export type SeriesPoint = Series["points"][number];
export type StepRange = { from: number; to: number };

/** Points read in one statement. A longer series is thinned page by page, so that no Worker has to hold it whole. */
const PAGE_POINTS = 50_000;

/**
 * A metric's history within a range of steps, in order of step, then time, at most `maxPoints` of it; null when the
 * trial has no such metric. Points are here from their acceptance on, before any fold.
 */
export async function readSeries(
  db: D1Database,
  streamId: number,
  key: string,
  range: StepRange,
  maxPoints: number,
): Promise<Series | null> {
  const [finals, stored] = await Promise.all([
    unplannedFinals(db, streamId, key),
    db.prepare(COUNT_POINTS).bind(streamId, key, range.from, range.to).first<number>("total"),
  ]);
  const last = finals.filter(({ step }) => step >= range.from && step <= range.to);
  const storedTotal = stored ?? 0;
  const total = storedTotal + last.length;
  if (total === 0 && finals.length === 0 && !(await hasPoints(db, streamId, key))) return null;
  const thinned = await readThinned(db, [streamId, key, range.from, range.to], storedTotal);
  const points = last.length === 0 ? thinned : [...thinned, ...last].sort(compareByRecency);
  return { points: downsample(points, maxPoints), total, downsampled: total > maxPoints };
}

/** All points of the range, evenly thinned to at most a page where there are more. */
async function readThinned(db: D1Database, series: unknown[], total: number): Promise<SeriesPoint[]> {
  const thinned: SeriesPoint[] = [];
  let after: SeriesPoint | undefined;
  for (let read = 0; read < total; ) {
    const page = await pageOf(db, series, after);
    if (page.length === 0) break;
    const share = Math.ceil((PAGE_POINTS * page.length) / Math.max(total, PAGE_POINTS));
    for (const point of downsample(page, share)) thinned.push(point);
    read += page.length;
    after = page.at(-1);
  }
  return thinned;
}

async function pageOf(db: D1Database, series: unknown[], after: SeriesPoint | undefined) {
  const statement = after
    ? db.prepare(NEXT_POINTS).bind(...series, after.step, after.timestamp, after.value)
    : db.prepare(FIRST_POINTS).bind(...series);
  return (await statement.all<SeriesPoint>()).results;
}

async function hasPoints(db: D1Database, streamId: number, key: string): Promise<boolean> {
  const any = db.prepare("select 1 from metric_points where stream_id = ?1 and key = ?2 limit 1");
  return (await any.bind(streamId, key).first()) !== null;
}

/** The metric as ends without a step gave it. */
async function unplannedFinals(db: D1Database, streamId: number, key: string): Promise<SeriesPoint[]> {
  const statement = db.prepare(UNPLANNED_FINALS).bind(streamId, JSON.stringify([key]));
  const { results } = await statement.all<SeriesPoint>();
  return results.map(({ step, timestamp, value }) => ({ step, timestamp, value }));
}

const IN_RANGE = "from metric_points where stream_id = ?1 and key = ?2 and step between ?3 and ?4";
const COUNT_POINTS = `select count(*) as total ${IN_RANGE}`;
const IN_PAGES = `order by step, timestamp, value limit ${PAGE_POINTS}`;
const FIRST_POINTS = `select step, timestamp, value ${IN_RANGE} ${IN_PAGES}`;
const NEXT_POINTS = `select step, timestamp, value ${IN_RANGE} and (step, timestamp, value) > (?5, ?6, ?7) ${IN_PAGES}`;
