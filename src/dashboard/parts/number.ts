import type { WireNumber } from "../../domain/values.ts";

const DIGITS = 5;
const LARGE = 1e6;
const SMALL = 1e-4;

/** A metric's value, short enough for a column; the whole is for a title. */
export function shortNumber(value: WireNumber): string {
  if (typeof value !== "number") return value.replace("Infinity", "∞");
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < LARGE) return String(value);
  if (size !== 0 && (size >= LARGE || size < SMALL))
    return value.toExponential(DIGITS - 2).replace(/\.?0+e/, "e");
  return String(Number(value.toPrecision(DIGITS)));
}
