import type { WireNumber } from "../../domain/values.ts";
import { pageAnswer } from "./page.ts";

/** One observation of a metric. `timestamp` in epoch milliseconds. */
export type Point = { key: string; value: WireNumber; timestamp: number; step: number };
export type PointOfRun = Point & { runId: string };

/** The body of `metrics/get-history`; `next` is the offset of the page that follows. */
export function historyAnswer(points: readonly Point[], next: number | null) {
  return pageAnswer("metrics", points.map(pointOf), next);
}

/** The body of `metrics/get-history-bulk-interval`. */
export function intervalAnswer(points: readonly PointOfRun[]) {
  return pageAnswer("metrics", points.map(pointOfRun), null);
}

/** The body of `metrics/get-history-bulk`, which leaves no empty list out. */
export function bulkAnswer(points: readonly PointOfRun[]) {
  return { metrics: points.map(pointOfRun) };
}

function pointOf({ key, value, timestamp, step }: Point) {
  return { key, value, timestamp, step };
}

function pointOfRun({ runId, ...point }: PointOfRun) {
  return { ...pointOf(point), run_id: runId };
}
