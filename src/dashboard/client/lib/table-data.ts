import type { TrialTable } from "../../../answers/trial-table.ts";
import type { Cell } from "../../../domain/cell-order.ts";
import { columnOf } from "../../../domain/table-columns.ts";

/** Trials by columns as the API gives them; a column that was not asked for yet is not there. */
export type TableData = {
  trials: TrialTable["trials"];
  values: ReadonlyMap<string, readonly Cell[]>;
  more: boolean;
};

export function dataOf({ trials, columns, more }: TrialTable): TableData {
  return { trials, values: new Map(columns.map(({ name, values }) => [name, values])), more };
}

/** The data with columns of another answer in it, whichever order its trials are in. */
export function withColumns(data: TableData, { trials, columns }: TrialTable): TableData {
  const placeOf = new Map(trials.id.map((id, place) => [id, place]));
  const places = data.trials.id.map((id) => placeOf.get(id));
  const aligned = columns.map(({ name, values }): [string, Cell[]] => [
    name,
    places.map((place) => (place === undefined ? null : (values[place] ?? null))),
  ]);
  return { ...data, values: new Map([...data.values, ...aligned]) };
}

/** The data with the cells of another answer, which is of some of its trials and columns. */
export function withCells(data: TableData, { trials, columns }: TrialTable): TableData {
  const placeOf = new Map(data.trials.id.map((id, place) => [id, place]));
  const values = new Map(data.values);
  for (const { name, values: cells } of columns) {
    const list = [...(values.get(name) ?? [])];
    trials.id.forEach((id, i) => {
      const place = placeOf.get(id);
      if (place !== undefined) list[place] = cells[i] ?? null;
    });
    values.set(name, list);
  }
  return { ...data, values };
}

/** The cells of a column by its name; null where they were not read yet, or there is no such column. */
export function cellsOf(data: TableData, name: string): readonly Cell[] | null {
  const column = columnOf(name);
  if (column === null) return null;
  return column.kind === "field" ? data.trials[column.key] : (data.values.get(name) ?? null);
}
