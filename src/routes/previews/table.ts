import Papa from "papaparse";
import * as z from "zod";

/** What a table shows at most; the rest is downloaded. */
const MAX_ROWS = 1_000;
const MAX_COLUMNS = 100;
const MAX_CELL_CHARS = 500;

/** Cells as text; `isCut`: there is more. */
export type Table = { columns: string[]; rows: string[][]; isCut: boolean };

/** A table of comma- or tab-separated values, whose first row names its columns. */
export function tableOfValues(text: string, delimiter: "," | "\t"): Table {
  const { data } = Papa.parse<string[]>(text, { delimiter, preview: MAX_ROWS + 2, skipEmptyLines: true });
  const [columns = [], ...rows] = data;
  return bounded(columns, rows);
}

/** pandas' split orient, in which MLflow writes tables. */
const split = z.object({ columns: z.array(z.unknown()), data: z.array(z.array(z.unknown())) });

/** A table as MLflow's `log_table` writes it, or null where it is other JSON. */
export function tableOfJson(value: unknown): Table | null {
  const parsed = split.safeParse(value);
  if (!parsed.success) return null;
  const { columns, data } = parsed.data;
  return bounded(
    columns.map(cell),
    data.map((row) => row.map(cell)),
  );
}

function bounded(columns: readonly string[], rows: readonly (readonly string[])[]): Table {
  const cells = (row: readonly string[]) =>
    row.slice(0, MAX_COLUMNS).map((text) => text.slice(0, MAX_CELL_CHARS));
  const isCut = rows.length > MAX_ROWS || columns.length > MAX_COLUMNS;
  return { columns: cells(columns), rows: rows.slice(0, MAX_ROWS).map(cells), isCut };
}

function cell(value: unknown): string {
  if (typeof value === "string") return value;
  return value === null ? "" : (JSON.stringify(value) ?? "");
}
