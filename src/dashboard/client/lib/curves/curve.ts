import type { CurveShown, CurveSource } from "../../../../answers/curves.ts";
import { type CurvePoint, joinCurve } from "../../../../domain/curve.ts";

/** What the page holds of one metric of one trial. */

/** With more points than this a chart would draw many on one pixel. */
const MAX_POINTS = 4_000;

export type HeldCurve = {
  points: readonly CurvePoint[];
  isThinned: boolean;
  /** Why some of it is not here; null where all is. */
  unavailable: string | null;
};

export const NOTHING: HeldCurve = { points: [], isThinned: false, unavailable: null };

/** Names whose a curve is; the two kinds of ids look alike. */
export function sourceId({ trial, run }: Pick<CurveSource, "trial" | "run">): string {
  return trial === null ? `run ${run}` : `trial ${trial}`;
}

/** A curve as the API shows it, by columns, as points. */
export function held({ steps, timestamps, values, thinned, unavailable }: CurveShown): HeldCurve {
  const points = steps.map((step, i): CurvePoint => [step, timestamps[i] ?? 0, values[i] ?? "NaN"]);
  return { points, isThinned: thinned, unavailable };
}

/**
 * A curve with what came since.
 * @param isShown which points belong to what is drawn: what is outside of a zoom stays outside
 */
export function extended(
  curve: HeldCurve,
  added: readonly CurvePoint[],
  isShown: (point: CurvePoint) => boolean = () => true,
): HeldCurve {
  const all = joinCurve([curve.points, added.filter(isShown)], Number.POSITIVE_INFINITY);
  const isLong = all.length > MAX_POINTS;
  return {
    ...curve,
    points: isLong ? joinCurve([all], MAX_POINTS) : all,
    isThinned: curve.isThinned || isLong,
  };
}
