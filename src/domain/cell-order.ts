/** How the cells of a table are sorted, on the server and in the browser alike. */

/** A cell of a table: a metric has what JSON has no number for as text. */
export type Cell = string | number | boolean | null;

/** Decimal, as a trainer's parameter has a number. */
const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;

/** The number that a cell is; NaN where it is none. */
export function numberIn(cell: Cell): number {
  if (typeof cell === "number") return cell;
  if (typeof cell !== "string") return Number.NaN;
  const text = cell.trim();
  if (text === "Infinity" || text === "inf") return Number.POSITIVE_INFINITY;
  if (text === "-Infinity" || text === "-inf") return Number.NEGATIVE_INFINITY;
  return DECIMAL.test(text) ? Number(text) : Number.NaN;
}

/** What has no place among the others: it comes last, whichever way is sorted. */
export function isUnsorted(cell: Cell): boolean {
  return cell === null || cell === "NaN";
}

/** Numbers, whatever they are written as, before text. */
export function compareCells(a: Cell, b: Cell): number {
  const [x, y] = [numberIn(a), numberIn(b)];
  if (!Number.isNaN(x) && !Number.isNaN(y)) return compare(x, y);
  return Number(Number.isNaN(x)) - Number(Number.isNaN(y)) || compare(String(a), String(b));
}

function compare<T>(a: T, b: T): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/** The places of cells in order; NaN and what is not there last, whichever way. Equal cells stay as they were. */
export function orderOf(cells: readonly Cell[], descending: boolean): number[] {
  const cellAt = (place: number) => cells[place] ?? null;
  const places = Array.from(cells.keys());
  const last = places.filter((place) => isUnsorted(cellAt(place)));
  const others = places.filter((place) => !isUnsorted(cellAt(place)));
  const sign = descending ? -1 : 1;
  others.sort((i, j) => sign * compareCells(cellAt(i), cellAt(j)));
  const isNaNText = (place: number) => cellAt(place) === "NaN";
  return [...others, ...last.filter(isNaNText), ...last.filter((place) => !isNaNText(place))];
}
