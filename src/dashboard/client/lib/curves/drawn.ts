import type { CurvePoint } from "../../../../domain/curve.ts";
import { fromWire } from "../../../../domain/values.ts";
import { type Axis, placeOf } from "./axis.ts";

/** A curve as it is drawn: where its line runs, where it is broken, and the marks for what is no number. */

export const MARKS = ["NaN", "Infinity", "-Infinity"] as const;
export type MarkKind = (typeof MARKS)[number];
export type Mark = { x: number; kind: MarkKind };

/** `ys`: null breaks the line. `beyond`: how many points a logarithmic axis has no place for. */
export type Drawn = { xs: number[]; ys: (number | null)[]; marks: Mark[]; beyond: number };

/** `isThinned`: whether points were left out between those that are here. */
export type How = { axis: Axis; origin: number; logX: boolean; logY: boolean; isThinned: boolean };

/** A pause is so many times longer than the intervals on both of its sides. */
const PAUSE = 10;
/**
 * Of a bucket two points are left, which may stand side by side or far apart: only the longest of several intervals tells
 * how far apart points are there.
 */
const NEAR_OF_THINNED = 8;

/** Points in any order of time come out in order of x. */
export function drawn(points: readonly CurvePoint[], { axis, origin, logX, logY, isThinned }: How): Drawn {
  const placed = points
    .map((point) => ({ x: placeOf(point, axis, origin), value: fromWire(point[2]), kind: kindOf(point[2]) }))
    .sort((a, b) => a.x - b.x);
  const shown = logX ? placed.filter(({ x }) => x > 0) : placed;
  const paused = pausesAfter(
    shown.map(({ x }) => x),
    isThinned ? NEAR_OF_THINNED : 1,
  );
  const result: Drawn = { xs: [], ys: [], marks: [], beyond: placed.length - shown.length };
  shown.forEach(({ x, value, kind }, i) => {
    const isBeyond = kind === null && logY && value <= 0;
    if (kind) result.marks.push({ x, kind });
    if (isBeyond) result.beyond++;
    result.xs.push(x);
    result.ys.push(kind || isBeyond ? null : value);
    const next = shown[i + 1];
    if (!paused.has(i) || !next) return;
    result.xs.push((x + next.x) / 2);
    result.ys.push(null);
  });
  return result;
}

function kindOf(value: number | string): MarkKind | null {
  return MARKS.find((kind) => kind === value) ?? null;
}

/**
 * After which points nothing came for long. Ever longer intervals, of who logs at powers of ten, are no pauses.
 * @param near how many intervals are looked at on each side
 */
function pausesAfter(xs: readonly number[], near: number): Set<number> {
  const pauses = new Set<number>();
  const intervals = xs.slice(1).map((x, i) => x - (xs[i] ?? Number.NaN));
  for (let i = 1; i < intervals.length - 1; i++) {
    const own = intervals[i] ?? 0;
    const isLonger = (others: readonly number[]) => {
      const longest = Math.max(...others);
      return longest > 0 && own > PAUSE * longest;
    };
    if (isLonger(intervals.slice(Math.max(0, i - near), i)) && isLonger(intervals.slice(i + 1, i + 1 + near)))
      pauses.add(i);
  }
  return pauses;
}

/** How many marks of each kind there are, in words: `2 NaN, 1 ∞`. */
export function markWords(marks: readonly Mark[]): string {
  return MARKS.flatMap((kind) => {
    const count = marks.filter((mark) => mark.kind === kind).length;
    return count === 0 ? [] : [`${count} ${kind.replace("Infinity", "∞")}`];
  }).join(", ");
}
