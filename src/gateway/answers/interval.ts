import { compareByRecency, type Point, type PointOfRun } from "./history.ts";

type Steps = { first: number; last: number };

/**
 * A sample of several runs' histories as MLflow takes it (mlflow/store/tracking/abstract_store.py): steps evenly spaced
 * among all that any of the runs has, beside each run's own first and last, and at most so many points of each run.
 * @param histories of each run, in any order
 * @param steps the first and the last to look at; null for all from 0 on
 */
export function intervalOf(
  histories: readonly { runId: string; points: readonly Point[] }[],
  steps: Steps | null,
  maxResults: number,
): PointOfRun[] {
  const all = [...new Set(histories.flatMap(({ points }) => points.map(({ step }) => step)))].sort(
    (a, b) => a - b,
  );
  const { first, last } = steps ?? { first: 0, last: all.at(-1) ?? 0 };
  const isWithin = (step: number) => first <= step && step <= last;
  const taken = new Set(sampled(all.filter(isWithin), maxResults));
  for (const { points } of histories)
    for (const step of ends(points.map((point) => point.step))) if (isWithin(step)) taken.add(step);
  const perRun = Math.max(maxResults, taken.size);
  return histories.flatMap(({ runId, points }) => {
    const shown = points.filter(({ step }) => taken.has(step)).toSorted(compareByRecency);
    return evenly(shown, perRun).map((point) => ({ ...point, runId }));
  });
}

function sampled(steps: readonly number[], max: number): number[] {
  if (steps.length <= max) return [...steps];
  const interval = steps.length / max;
  const picked = Array.from({ length: max }, (_, i) => steps[Math.trunc(i * interval)]);
  return [...picked, steps.at(-1)].filter((step) => step !== undefined);
}

function ends(steps: readonly number[]): number[] {
  if (steps.length === 0) return [];
  return [
    steps.reduce((least, step) => Math.min(least, step)),
    steps.reduce((most, step) => Math.max(most, step)),
  ];
}

/** So many of the items, evenly spaced, with the first and the last; of one only the last. */
function evenly<T>(items: readonly T[], max: number): readonly T[] {
  if (items.length <= max) return items;
  if (max === 1) return items.slice(-1);
  const gap = (items.length - 1) / (max - 1);
  const places = new Set(Array.from({ length: max }, (_, i) => halfToEven(i * gap)));
  return items.filter((_, place) => places.has(place));
}

/** As Python's `round`. */
function halfToEven(value: number): number {
  const floor = Math.floor(value);
  const isHalf = value - floor === 0.5;
  return isHalf ? floor + (floor % 2) : Math.round(value);
}
