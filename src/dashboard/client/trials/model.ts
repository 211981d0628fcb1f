import {
  columnGroupingFeature,
  columnPinningFeature,
  columnSizingFeature,
  constructAggregationFn,
  constructTable,
  createColumnHelper,
  createExpandedRowModel,
  createGroupedRowModel,
  createSortedRowModel,
  type ExpandedState,
  type Row,
  rowAggregationFeature,
  rowExpandingFeature,
  rowSelectionFeature,
  rowSortingFeature,
  tableFeatures,
} from "@tanstack/table-core";
import { storeReactivityBindings } from "@tanstack/table-core/store-reactivity-bindings";
import { type Cell, compareCells, isUnsorted, numberIn } from "../../../domain/cell-order.ts";
import { type Aggregate, aggregateOf } from "../lib/aggregate.ts";
import { cellsOf, type TableData } from "../lib/table-data.ts";

/** The table without its looks: which rows there are in which order, and which columns. */

const features = tableFeatures({
  coreReactivityFeature: storeReactivityBindings(),
  columnPinningFeature,
  columnSizingFeature,
  rowSortingFeature,
  rowSelectionFeature,
  columnGroupingFeature,
  rowAggregationFeature,
  rowExpandingFeature,
  sortedRowModel: createSortedRowModel(),
  groupedRowModel: createGroupedRowModel(),
  expandedRowModel: createExpandedRowModel(),
});

/** `place`: where its values stand in each column. */
type Trial = { id: string; place: number };
export type TrialRow = Row<typeof features, Trial>;
type Value = Cell | Aggregate | undefined;

const helper = createColumnHelper<typeof features, Trial>();

/** Of what is no number only that all are alike; else nothing. */
const aggregate = constructAggregationFn({
  aggregate: ({ rows, getValue }): Value => {
    const cells = rows.map((row) => cellIn(getValue(row)));
    const numbers = aggregateOf(cells);
    if (numbers !== null) return numbers;
    const [first = null] = cells;
    return cells.every((cell) => cell === first) ? (first ?? undefined) : undefined;
  },
});

function isAggregate(value: unknown): value is Aggregate {
  return typeof value === "object" && value !== null && "mean" in value;
}

function cellIn(value: unknown): Cell {
  if (isAggregate(value)) return value.mean;
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : null;
}

/** What a row has in a column: a trial's value, or what a group's come to. */
export function valueIn(data: TableData, row: TrialRow, column: string): Cell | Aggregate {
  if (row.getIsGrouped()) {
    if (column === row.groupingColumnId) return cellIn(row.groupingValue);
    const value = row.getValue(column);
    return isAggregate(value) ? value : cellIn(value);
  }
  return cellsOf(data, column)?.[row.original.place] ?? null;
}

const WIDTHS_PX: Readonly<Record<string, number>> = {
  trial_id: 200,
  run_name: 200,
  mlflow_run_id: 280,
  started_at: 150,
  ended_at: 150,
};
const WIDTH_PX = 124;

export type View = {
  columns: readonly string[];
  pins: readonly string[];
  sort: string | null;
  group: string | null;
  /** Ids of trials. */
  selected: ReadonlySet<string>;
  expanded: ExpandedState;
};

/** Makes the table; it is given its data and how it is viewed each time something of them changes. */
export function trialTable() {
  const table = constructTable<typeof features, Trial>({
    features,
    columns: [],
    data: [],
    getRowId: ({ id }) => id,
    groupedColumnMode: false,
    enableSubRowSelection: false,
    autoResetExpanded: false,
  });
  let shown: { data: TableData; columns: string } | null = null;

  function show(data: TableData, view: View): void {
    const columns = JSON.stringify(view.columns);
    const isNew = shown?.data !== data;
    const areOthers = isNew || shown?.columns !== columns;
    shown = { data, columns };
    const sorted = view.sort?.replace(/^-/, "");
    table.setOptions((before) => ({
      ...before,
      data: isNew ? data.trials.id.map((id, place) => ({ id, place })) : before.data,
      columns: areOthers ? view.columns.map((name) => columnDef(data, name)) : before.columns,
      state: {
        sorting: sorted && view.columns.includes(sorted) ? [{ id: sorted, desc: view.sort !== sorted }] : [],
        grouping: view.group !== null && view.columns.includes(view.group) ? [view.group] : [],
        columnPinning: {
          start: view.columns.filter((name) => name === view.group || view.pins.includes(name)),
          end: [],
        },
        rowSelection: Object.fromEntries(Array.from(view.selected, (id): [string, true] => [id, true])),
        expanded: view.expanded,
      },
    }));
  }
  return { table, show };
}

function columnDef(data: TableData, name: string) {
  const cells = cellsOf(data, name);
  const cellOf = ({ place }: Trial): Cell => cells?.[place] ?? null;
  return helper.accessor((trial): unknown => (isUnsorted(cellOf(trial)) ? undefined : cellOf(trial)), {
    id: name,
    size: WIDTHS_PX[name] ?? WIDTH_PX,
    sortUndefined: "last",
    sortFn: compareRows,
    aggregationFn: aggregate,
    getGroupingValue: (trial) => {
      const number = numberIn(cellOf(trial));
      return Number.isNaN(number) ? cellOf(trial) : number;
    },
  });
}

function compareRows(a: TrialRow, b: TrialRow, column: string): number {
  return compareCells(sortedBy(a, column), sortedBy(b, column));
}

/** A group stands where its own value does, and in other columns where its mean does. */
function sortedBy(row: TrialRow, column: string): Cell {
  return cellIn(row.groupingColumnId === column ? row.groupingValue : row.getValue(column));
}
