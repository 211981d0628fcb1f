import type { TrialTable } from "../../answers/trial-table.ts";
import { cut } from "../../domain/limits.ts";
import { bestIs, type KeyedColumn, type KeyedKind } from "../../domain/table-columns.ts";

type Cell = TrialTable["columns"][number]["values"][number];

/** A longer text ends with an ellipsis. */
const MAX_CELL_CHARS = 200;
/** Longer than any that is kept. */
const WHOLE_CHARS = 1_000_000;
/** So many cells a statement, that its answer stays a few megabytes, and so many columns: each binds its key. */
const CELLS_AT_ONCE = 50_000;
const COLUMNS_AT_ONCE = 90;

/** What a trial `t` has for the key that is bound at a place; ?2 are the most characters of it. */
const CELLS: Record<Exclude<KeyedKind, "best">, (key: string) => string> = {
  params: cell("params", "substr(value, 1, ?2)"),
  tags: cell("tags", "substr(value, 1, ?2)", "and removed_at is null"),
  metrics: cell("metric_summaries", "last"),
  min: cell("metric_summaries", "min"),
  max: cell("metric_summaries", "max"),
};

function cell(table: string, value: string, more = "") {
  return (key: string) =>
    `(select ${value} from ${table} where stream_id = t.value and key = ${key} ${more})`;
}

/** Rows of the place of the trial among the ids in ?1, and its value in each of the columns. */
function query(columns: readonly KeyedColumn[]): string {
  const cells = columns.map(({ kind, key }, i) => CELLS[kind === "best" ? bestIs(key) : kind](`?${i + 3}`));
  return `select ${["t.key", ...cells].join(", ")} from json_each(?1) t`;
}

/**
 * The values of some columns, each a list with a value for each trial.
 * @param ids of the trials' streams
 * @param isWhole whether long texts are not cut
 */
export async function cellsOf(
  db: D1Database,
  ids: readonly number[],
  columns: readonly KeyedColumn[],
  isWhole = false,
): Promise<Cell[][]> {
  const cells = columns.map(() => ids.map((): Cell => null));
  if (ids.length === 0) return cells;
  const most = isWhole ? WHOLE_CHARS : MAX_CELL_CHARS;
  const bound = JSON.stringify(ids);
  const helping = Math.max(1, Math.min(COLUMNS_AT_ONCE, Math.floor(CELLS_AT_ONCE / ids.length)));
  for (let at = 0; at < columns.length; at += helping) {
    const some = columns.slice(at, at + helping);
    const keys = some.map(({ key }) => key);
    const rows = await db
      .prepare(query(some))
      .bind(bound, most + 1, ...keys)
      .raw<[place: number, ...values: Cell[]]>();
    for (const [place, ...values] of rows)
      values.forEach((value, i) => {
        const list = cells[at + i];
        if (list) list[place] = shortened(value, most);
      });
  }
  return cells;
}

function shortened(value: Cell, most: number): Cell {
  if (typeof value !== "string") return value;
  const short = cut(value, most);
  return short.length === value.length ? value : `${short}…`;
}
