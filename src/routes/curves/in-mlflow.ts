import { type CurvePoint, joinCurve } from "../../domain/curve.ts";
import { MAX_STEP, MIN_STEP } from "../../domain/limits.ts";
import type { Deps } from "../../relay/deps.ts";
import { readHistory } from "../../relay/follow/history.ts";
import type { Window } from "../../store/journal/chunk-window.ts";

/** Curves whose points are in MLflow: read from there, or from what was read before. */

/** Of a window in time the points are looked through here. */
const MAX_POINTS = 50_000;
/** Each may be a few calls to MLflow, and as many statements. */
const MAX_CURVES = 20;
/** A Worker has six connections. */
const AT_ONCE = 4;

export type CurveInMlflow = { runId: string; key: string; window: Window | null };
export type ReadInMlflow = { points: CurvePoint[]; isThinned: boolean; unavailable: string | null };

/** The curves in that order; what cannot be had just now says why, so that the others are shown. */
export async function readInMlflow(
  deps: Deps,
  asked: readonly CurveInMlflow[],
  maxPoints: number,
): Promise<ReadInMlflow[]> {
  const curves: ReadInMlflow[] = [];
  for (let at = 0; at < asked.length; at += AT_ONCE) {
    const some = asked.slice(at, at + AT_ONCE);
    curves.push(
      ...(at >= MAX_CURVES
        ? some.map(() => none("too many that are in MLflow only are asked for at once"))
        : await Promise.all(some.map((one) => readOne(deps, one, maxPoints)))),
    );
  }
  return curves;
}

async function readOne(
  deps: Deps,
  { runId, key, window }: CurveInMlflow,
  maxPoints: number,
): Promise<ReadInMlflow> {
  const [from, to] = window?.steps ?? [MIN_STEP, MAX_STEP];
  const inTime = window !== null && window.times[0] !== MIN_STEP;
  const read = await readHistory(deps, runId, key, { from, to }, inTime ? MAX_POINTS : maxPoints);
  if (read.kind === "away") return none(read.reason);
  if (read.kind !== "read") return none(null);
  const { points, downsampled } = read.series;
  const isIn = ({ timestamp }: { timestamp: number }) =>
    window === null || (timestamp >= window.times[0] && timestamp <= window.times[1]);
  const inRange = points
    .filter(isIn)
    .map(({ step, timestamp, value }): CurvePoint => [step, timestamp, value]);
  return {
    points: joinCurve([inRange], maxPoints),
    isThinned: downsampled || inRange.length > maxPoints,
    unavailable: null,
  };
}

function none(unavailable: string | null): ReadInMlflow {
  return { points: [], isThinned: false, unavailable };
}
