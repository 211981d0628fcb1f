import { fromWire, type WireNumber } from "./values.ts";

/** The first and the last point are always shown. */
const ENDS = 2;
/** Of each bucket its least and its greatest value, and one NaN, where there are any. */
const EXTREMES = 2;
const EXTREMES_AND_NAN = 3;

/**
 * A subset of at most `max` points that draws the same curve: the first and the last, and of each bucket between
 * them the least and the greatest value. NaNs have no place among values, so one a bucket is shown as a mark. With a
 * `max` of 2 or 3 there is room for the ends only.
 */
export function downsample<T extends { value: WireNumber }>(points: readonly T[], max: number): T[] {
  if (points.length <= max) return [...points];
  const inner = { from: 1, to: points.length - 1 };
  const room = max - ENDS;
  const marked = room >= EXTREMES_AND_NAN && points.some((point) => Number.isNaN(fromWire(point.value)));
  const buckets = Math.floor(room / (marked ? EXTREMES_AND_NAN : EXTREMES));
  const shown = [0];
  for (let i = 0; i < buckets; i++) {
    const edge = (n: number) => inner.from + Math.floor((n * (inner.to - inner.from)) / buckets);
    shown.push(...notable(points, edge(i), edge(i + 1), marked));
  }
  shown.push(inner.to);
  return shown.flatMap((index) => points[index] ?? []);
}

/** Where the least and the greatest value of a bucket stand, and its first NaN if marks are asked for; in order. */
function notable(points: readonly { value: WireNumber }[], from: number, to: number, marked: boolean) {
  let least = -1;
  let greatest = -1;
  let mark = -1;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  points.slice(from, to).forEach((point, offset) => {
    const value = fromWire(point.value);
    if (Number.isNaN(value)) {
      if (mark === -1) mark = from + offset;
      return;
    }
    if (least === -1 || value < min) [least, min] = [from + offset, value];
    if (greatest === -1 || value > max) [greatest, max] = [from + offset, value];
  });
  const found = new Set(marked ? [least, greatest, mark] : [least, greatest]);
  return [...found].filter((index) => index !== -1).sort((a, b) => a - b);
}
