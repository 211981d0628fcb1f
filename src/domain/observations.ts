import { compareValues, fromWire, type WireNumber } from "./values.ts";

/** MLflow's rules about the observations of a metric. NaN stands where 0 does. */

/** `timestamp` in epoch milliseconds. */
type Observation = { value: WireNumber; timestamp: number; step: number };

/** MLflow's order of a history: by time, then step, then value. */
export function compareInHistory(a: Observation, b: Observation): number {
  return a.timestamp - b.timestamp || a.step - b.step || byValue(a, b);
}

/** Which of two observations is the latest: by step, then time, then value; the greater one is. */
export function compareByRecency(a: Observation, b: Observation): number {
  return a.step - b.step || a.timestamp - b.timestamp || byValue(a, b);
}

function byValue(a: Observation, b: Observation): number {
  return compareValues(fromWire(a.value), fromWire(b.value));
}

/** Takes an observation for its key's latest, if it is. */
export function observe<Point extends Observation & { key: string }>(
  latest: Map<string, Point>,
  point: Point,
): void {
  const known = latest.get(point.key);
  if (!known || compareByRecency(point, known) > 0) latest.set(point.key, point);
}
