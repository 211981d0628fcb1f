import { type Cell, numberIn } from "../../../domain/cell-order.ts";
import { cellsOf, type TableData } from "./table-data.ts";

/** A column in which trials differ, with how many values there are. */
export type Difference = { name: string; cells: readonly Cell[]; distinct: number };

/** Those of some columns in which the trials are not all alike; numbers by what they mean. */
export function differencesOf(data: TableData, columns: readonly string[]): Difference[] {
  return columns.flatMap((name) => {
    const cells = cellsOf(data, name);
    if (cells === null) return [];
    const distinct = new Set(cells.map(meaningOf)).size;
    return distinct > 1 ? [{ name, cells, distinct }] : [];
  });
}

function meaningOf(cell: Cell): Cell {
  const number = numberIn(cell);
  return Number.isNaN(number) ? cell : number;
}
