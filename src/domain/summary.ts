import { compareValues } from "./values.ts";

/** What a list shows of one metric. `step` null stands for "after every step". NaN counts, but is no min or max. */
export type Summary = {
  last: number;
  lastStep: number | null;
  lastTimestamp: number;
  min: number | null;
  max: number | null;
  count: number;
};

type Observation = { value: number; step: number | null; timestamp: number };

/** The summary after one more observation. */
export function summaryWith(before: Summary | undefined, point: Observation): Summary {
  const number = Number.isNaN(point.value) ? null : point.value;
  const here = { last: point.value, lastStep: point.step, lastTimestamp: point.timestamp };
  if (!before) return { ...here, min: number, max: number, count: 1 };
  const newest = isAfter(point, before) ? here : before;
  return {
    last: newest.last,
    lastStep: newest.lastStep,
    lastTimestamp: newest.lastTimestamp,
    min: pick(Math.min, before.min, number),
    max: pick(Math.max, before.max, number),
    count: before.count + 1,
  };
}

/** MLflow's own rule for the latest value: by step, then timestamp, then value, with NaN as 0. */
function isAfter(point: Observation, summary: Summary): boolean {
  const step = (point.step ?? Infinity) - (summary.lastStep ?? Infinity);
  const byStep = Number.isNaN(step) ? 0 : step;
  return (byStep || point.timestamp - summary.lastTimestamp || compareValues(point.value, summary.last)) > 0;
}

function pick(choose: (a: number, b: number) => number, a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : choose(a, b);
}
