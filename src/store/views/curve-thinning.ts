import { type CurvePoint, type StepBucket, stepBuckets } from "../../domain/curve.ts";
import {
  bindWindow,
  IN_WINDOW,
  type Named,
  readBuckets,
  readPoints,
  type Texts,
  textOf,
  type Window,
} from "./curve-points.ts";

/** Long curves, thinned by the database: only what is kept of them leaves it. */

/** Each keeps its least and its greatest value. */
const BUCKETS = 520;
/** What a thinned curve is kept to. */
export const THINNED_POINTS = 2 * BUCKETS;

/**
 * The first and the last point within a window, and of each of some hundred buckets between them the least and the
 * greatest value, and one of each kind of those that are no numbers. In any order, some perhaps twice.
 */
export async function thinnedCurve(db: D1Database, curve: Named, window: Window): Promise<CurvePoint[]> {
  const [first, last] = await db.batch<Texts>(
    [FIRST, LAST].map((query) => bindWindow(db, query, curve, window)),
  );
  const [[from] = [], [to] = []] = [first, last].map((result) => readPoints(textOf(result)));
  if (!from || !to) return [];
  const ofEach = async (query: string, buckets: readonly StepBucket[]) =>
    readBuckets(textOf(await bindWindow(db, query, curve, window, JSON.stringify(buckets)).all<Texts>()));
  const buckets = stepBuckets(from[0], to[0], BUCKETS);
  const extremes = await ofEach(EXTREMES, buckets);
  // What is no number is text, and text is greater than any number.
  const marked = buckets.filter((_, i) => typeof extremes[i]?.[1]?.[2] === "string");
  const marks = marked.length === 0 ? [] : await ofEach(MARKS, marked);
  const found = [...extremes, ...marks].flat().flatMap((point) => (point === null ? [] : [point]));
  return [from, ...found, to];
}

const end = (order: string) =>
  `select json_group_array(json_array(step, timestamp, value)) as points from (
    select step, timestamp, value ${IN_WINDOW} ${order} limit 1)`;
const FIRST = end("order by step, timestamp, value");
const LAST = end("order by step desc, timestamp desc, value desc");

const overBuckets = (found: readonly string[]) => `
  with bucket(i, first, last) as materialized (
    select key, value ->> 0, value ->> 1 from json_each(?7))
  select json_group_array(json_array(${found.map((one) => `json((${one}))`).join(", ")}) order by i) as points
  from bucket where first <= ?4 and last >= ?3`;

const IN_BUCKET =
  "from metric_points where stream_id = ?1 and key = ?2 and step between first and last and timestamp between ?5 and ?6";

/** Step and time are those of the point that has the least or the greatest value: SQLite's rule for `min` and `max`. */
const EXTREMES = overBuckets([
  `select json_array(step, timestamp, min(value)) ${IN_BUCKET}`,
  `select json_array(step, timestamp, max(value)) ${IN_BUCKET}`,
]);

const MARKS = overBuckets([
  `select json_array(step, timestamp, max(value)) ${IN_BUCKET} and value < ''`,
  ...["NaN", "Infinity", "-Infinity"].map(
    (word) => `select json_array(step, timestamp, value) ${IN_BUCKET} and value = '${word}' limit 1`,
  ),
]);
