import { type Cell, numberIn } from "../../../domain/cell-order.ts";

/** How a column is drawn along an axis. */
export type Axis =
  | { kind: "value" | "log"; min: number; max: number }
  /** Texts, from the first on. */
  | { kind: "category"; names: string[] };

/** More texts are no axis. */
const MAX_NAMES = 40;
/** From such a ratio of the greatest to the least on the differences of the small are not to be seen otherwise. */
const LOG_FROM = 50;

/** The axis of a column; null where its cells are not on one. `toggled`: log for linear, and the other way round. */
export function axisOf(cells: readonly Cell[], toggled = false): Axis | null {
  const there = cells.filter((cell) => cell !== null && cell !== "NaN");
  const numbers = there.map(numberIn);
  if (there.length === 0) return null;
  if (numbers.some(Number.isNaN)) {
    const names = [...new Set(there.map(String))].sort();
    return names.length <= MAX_NAMES ? { kind: "category", names } : null;
  }
  const finite = numbers.filter(Number.isFinite);
  if (finite.length === 0) return null;
  const min = finite.reduce((a, b) => Math.min(a, b));
  const max = finite.reduce((a, b) => Math.max(a, b));
  const isLog = min > 0 && max / min >= LOG_FROM !== toggled;
  return { kind: isLog ? "log" : "value", min, max };
}

/** Where a cell stands on an axis: a number, or its name's place; null where it does not. */
export function placeOn(axis: Axis, cell: Cell): number | null {
  if (cell === null) return null;
  if (axis.kind === "category") {
    const place = axis.names.indexOf(String(cell));
    return place < 0 ? null : place;
  }
  const number = numberIn(cell);
  return Number.isFinite(number) && (axis.kind !== "log" || number > 0) ? number : null;
}
