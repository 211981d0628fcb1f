import { compareValues, fromWire, type WireNumber } from "../../domain/values.ts";
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

type Ordered = Pick<Point, "value" | "timestamp" | "step">;

/** MLflow's order of a history: by time, then step, then value, with NaN where 0 is. */
export function compareInHistory(a: Ordered, b: Ordered): number {
  return a.timestamp - b.timestamp || a.step - b.step || compareValues(fromWire(a.value), fromWire(b.value));
}

/** Which of two observations is the latest by MLflow: by step, then time, then value; the greater one is. */
export function compareByRecency(a: Ordered, b: Ordered): number {
  return a.step - b.step || a.timestamp - b.timestamp || compareValues(fromWire(a.value), fromWire(b.value));
}
