import { orderOf } from "../../../domain/cell-order.ts";
import { bestIs, columnOf } from "../../../domain/table-columns.ts";
import { cellsOf, type TableData } from "./table-data.ts";

/** Of more trials than this one chart has only the best. */
export const MAX_CURVES = 20;

/** The ids of the best trials by a metric; those without a value come last. */
export function bestTrials(data: TableData, metric: string, most: number): string[] {
  const column = columnOf(metric);
  const isGreatest = column !== null && column.kind !== "field" && bestIs(column.key) === "max";
  const places = orderOf(cellsOf(data, metric) ?? [], isGreatest);
  return places.slice(0, most).flatMap((place) => data.trials.id[place] ?? []);
}
