import { type CurvePoint, stepBuckets } from "../../domain/curve.ts";
import { Thinned } from "../../domain/thinned.ts";
import {
  bindWindow,
  HAS_WINDOW,
  IS_IN_WINDOW,
  IS_WITHIN,
  type Named,
  type Window,
} from "../journal/chunk-window.ts";
import { pointPages } from "../journal/point-pages.ts";

/** Long curves, thinned as they are read. */

/** Each keeps its least and its greatest value. */
const BUCKETS = 520;
/** What a thinned curve is kept to. */
export const THINNED_POINTS = 2 * BUCKETS;

/**
 * The first and the last point within a window, and of each of some hundred buckets between them the least and the
 * greatest value, and one of each kind of those that are no numbers. In any order, some perhaps twice.
 */
export async function thinnedCurve(db: D1Database, curve: Named, window: Window): Promise<CurvePoint[]> {
  const extent = await bindWindow(db, EXTENT, curve, window).first<{ low: number | null; high: number }>();
  if (!extent || extent.low === null) return [];
  const thinned = new Thinned(stepBuckets(extent.low, extent.high, BUCKETS));
  for await (const page of pointPages(db, curve, window)) for (const point of page) thinned.add(point);
  return thinned.points();
}

const endStep = (which: "min" | "max") => `
  ${which}(iif(${IS_WITHIN}, c.${which}_step,
    (select ${which}(p.value ->> 2) from json_each(c.points) p where ${IS_IN_WINDOW})))`;
const EXTENT = `
  select ${endStep("min")} as low, ${endStep("max")} as high from metric_chunks c where ${HAS_WINDOW}`;
