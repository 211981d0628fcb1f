import type { CurvePoint } from "../../../../domain/curve.ts";
import { isoTime } from "../../../../domain/times.ts";

/** One curve of a table: `name` tells whose it is. */
export type NamedCurve = { name: string; points: readonly CurvePoint[] };

/** A metric's points as CSV: a row a point, by RFC 4180. What a spreadsheet would take for a formula is text. */
export function curvesCsv(key: string, curves: readonly NamedCurve[]): string {
  const rows = curves.flatMap(({ name, points }) =>
    points.map(([step, timestamp, value]) => [name, key, step, isoTime(timestamp), value]),
  );
  return [["trial", "metric", "step", "time", "value"], ...rows]
    .map((row) => `${row.map(cell).join(",")}\r\n`)
    .join("");
}

function cell(value: string | number): string {
  if (typeof value === "number") return String(value);
  const text = /^[=+@\t\r-]/.test(value) && !/^-?Infinity$/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
