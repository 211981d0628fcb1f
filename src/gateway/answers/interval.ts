import { compareByRecency } from "../../domain/observations.ts";
import type { Point, PointOfRun } from "./history.ts";

/**
 * A sample of several runs' histories as MLflow takes it, each run for itself and in order of its steps
 * (`get_metric_history_bulk_interval` of mlflow/store/tracking/sqlalchemy_store.py).
 * @param histories of each run, in any order
 * @param steps the first and the last to look at; null for all
 * @param maxResults at most so many points of each run, 1 or more
 */
export function intervalOf(
  histories: readonly { runId: string; points: readonly Point[] }[],
  steps: { first: number; last: number } | null,
  maxResults: number,
): PointOfRun[] {
  return histories.flatMap(({ runId, points }) => {
    const asked = points.filter(({ step }) => steps === null || (steps.first <= step && step <= steps.last));
    return sampled(asked.toSorted(compareByRecency), maxResults).map((point) => ({ ...point, runId }));
  });
}

/** The first of each of so many shares, of which the larger ones come first, but the last of all in the last place. */
function sampled<T>(items: readonly T[], max: number): T[] {
  if (items.length <= max) return [...items];
  const size = Math.floor(items.length / max);
  const larger = items.length % max;
  const firsts = new Set(Array.from({ length: max - 1 }, (_, i) => i * size + Math.min(i, larger)));
  return items.filter((_, i) => firsts.has(i) || i === items.length - 1);
}
