import type { Cell } from "../../../domain/cell-order.ts";
import { csvOf } from "./csv.ts";
import { cellsOf, type TableData } from "./table-data.ts";

/** A table's rows as CSV: the columns by their full names, the trials in the order given. */
export function tableCsv(data: TableData, columns: readonly string[], places: readonly number[]): string {
  const cells = columns.map((name) => cellsOf(data, name));
  const rows = places.map((place) => cells.map((list): Cell => list?.[place] ?? null));
  return csvOf([columns, ...rows]);
}
