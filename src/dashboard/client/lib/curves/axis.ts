import type { CurvePoint } from "../../../../domain/curve.ts";

/** What a curve is drawn over. uPlot takes times in seconds. */

export const AXES = ["step", "relative", "time"] as const;
export type Axis = (typeof AXES)[number];

export const AXIS_NAMES: Readonly<Record<Axis, string>> = {
  step: "Step",
  relative: "Relative time",
  time: "Time",
};

/** Where a point stands. `origin`: epoch milliseconds from which relative time counts. */
export function placeOf([step, timestamp]: CurvePoint, axis: Axis, origin: number): number {
  if (axis === "step") return step;
  return axis === "time" ? timestamp / 1000 : (timestamp - origin) / 1000;
}

/** An interval of an axis. */
export type Range = readonly [from: number, to: number];

/** The same for the API, in steps or milliseconds, rounded outwards so that what is at an edge is in it. */
export function toApi([from, to]: Range, axis: Axis): { from: number; to: number } {
  const unit = axis === "step" ? 1 : 1000;
  return { from: Math.floor(from * unit), to: Math.ceil(to * unit) };
}

const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60],
  ["s", 1],
] as const;

/** A length of time in its two largest units, for relative time. */
export function lengthOf(seconds: number): string {
  if (!Number.isFinite(seconds)) return "";
  const sign = seconds < 0 ? "-" : "";
  const size = Math.abs(seconds);
  if (size < 1) return size === 0 ? "0 s" : `${sign}${Math.round(size * 1000)} ms`;
  const first = UNITS.findIndex(([, unit]) => size >= unit);
  let rest = size;
  const parts = UNITS.slice(first, first + 2).flatMap(([name, unit]) => {
    const whole = unit === 1 ? Math.round(rest) : Math.floor(rest / unit);
    rest -= whole * unit;
    return whole === 0 ? [] : [`${whole} ${name}`];
  });
  return sign + parts.join(" ");
}
