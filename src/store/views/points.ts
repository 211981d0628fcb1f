import type { Series } from "../../answers/trials.ts";
import { downsample } from "../../domain/downsample.ts";
import { compareByRecency } from "../../domain/observations.ts";
import {
  bindWindow,
  EVERYTHING,
  HAS_WINDOW,
  IS_IN_WINDOW,
  IS_WITHIN,
  type Named,
  type Window,
} from "../journal/chunk-window.ts";
import { pointPages } from "../journal/point-pages.ts";
import { UNPLANNED_FINALS } from "./finals.ts";

export type SeriesPoint = Series["points"][number];
export type StepRange = { from: number; to: number };

/** A longer series is thinned page by page, so that no Worker has to hold it whole. */
const HELD_POINTS = 50_000;

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
  const series = { streamId, key };
  const window = { ...EVERYTHING, steps: [range.from, range.to] as const };
  const [finals, stored] = await Promise.all([
    unplannedFinals(db, series),
    bindWindow(db, COUNT_POINTS, series, window).first<number>("total"),
  ]);
  const last = finals.filter(({ step }) => step >= range.from && step <= range.to);
  const storedTotal = stored ?? 0;
  const total = storedTotal + last.length;
  if (total === 0 && finals.length === 0 && !(await hasPoints(db, series))) return null;
  const thinned = await readThinned(db, series, window, storedTotal);
  const points = [...thinned, ...last].sort(compareByRecency);
  return { points: downsample(points, maxPoints), total, downsampled: total > maxPoints };
}

/** All points of the range, evenly thinned to at most so many where there are more. */
async function readThinned(db: D1Database, series: Named, window: Window, total: number) {
  const thinned: SeriesPoint[] = [];
  for await (const page of pointPages(db, series, window)) {
    const points = page
      .map(([step, timestamp, value]) => ({ step, timestamp, value }))
      .sort(compareByRecency);
    const share = Math.ceil((HELD_POINTS * points.length) / Math.max(total, HELD_POINTS));
    for (const point of downsample(points, share)) thinned.push(point);
  }
  return thinned;
}

async function hasPoints(db: D1Database, { streamId, key }: Named): Promise<boolean> {
  const any = db.prepare("select 1 from metric_chunks where stream_id = ?1 and key = ?2 limit 1");
  return (await any.bind(streamId, key).first()) !== null;
}

/** The metric as ends without a step gave it. */
async function unplannedFinals(db: D1Database, { streamId, key }: Named): Promise<SeriesPoint[]> {
  const statement = db.prepare(UNPLANNED_FINALS).bind(streamId, JSON.stringify([key]));
  const { results } = await statement.all<SeriesPoint>();
  return results.map(({ step, timestamp, value }) => ({ step, timestamp, value }));
}

const COUNT_POINTS = `
  select sum(iif(${IS_WITHIN}, json_array_length(c.points),
    (select count(*) from json_each(c.points) p where ${IS_IN_WINDOW}))) as total
  from metric_chunks c where ${HAS_WINDOW}`;
