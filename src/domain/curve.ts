import { downsample } from "./downsample.ts";
import { compareByRecency } from "./observations.ts";
import type { WireNumber } from "./values.ts";

/** Curves: what is drawn of a metric's history. A point is `[step, timestamp in epoch milliseconds, value]`. */
export type CurvePoint = readonly [step: number, timestamp: number, value: WireNumber];

/** An interval of steps, both ends in it. */
export type StepBucket = readonly [first: number, last: number];

/** A curve drawn over a logarithmic axis needs its first steps finer: of all buckets, one of so many is for them. */
const LOG_SHARE = 4;

/**
 * Buckets that cover the steps from `first` to `last`, so many about: evenly spaced, and from 0 on by their logarithm as
 * well, so that the curve is as good over either axis.
 */
export function stepBuckets(first: number, last: number, count: number): StepBucket[] {
  const span = last - first;
  const edges = new Set<number>();
  const even = count - Math.floor(count / LOG_SHARE);
  const width = Math.max(1, Math.ceil((span + 1) / even));
  for (let edge = first; edge <= last; edge += width) edges.add(edge);
  if (width > 1 && first >= 0) {
    const logs = count - even;
    for (let i = 0; i < logs; i++) edges.add(first + Math.floor((span + 1) ** (i / logs)) - 1);
  }
  const sorted = [...edges].sort((a, b) => a - b);
  return sorted.map((edge, i) => [edge, (sorted[i + 1] ?? last + 1) - 1]);
}

/** Points of one curve together, in order of step, then time, each once, at most `max` of them. */
export function joinCurve(parts: readonly (readonly CurvePoint[])[], max: number): CurvePoint[] {
  const sorted = parts
    .flat()
    .map(([step, timestamp, value]) => ({ step, timestamp, value }))
    .sort(compareByRecency);
  const distinct = sorted.filter((point, i) => {
    const before = sorted[i - 1];
    return before === undefined || compareByRecency(before, point) !== 0;
  });
  return downsample(distinct, max).map(({ step, timestamp, value }) => [step, timestamp, value]);
}
