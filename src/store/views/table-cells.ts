import type { TrialTable } from "../../answers/trial-table.ts";
import { cut } from "../../domain/limits.ts";
import { bestIs, type KeyedColumn, type KeyedKind } from "../../domain/table-columns.ts";

type Cell = TrialTable["columns"][number]["values"][number];

/** A longer text ends with an ellipsis. */
const MAX_CELL_CHARS = 200;
/** So many cells a statement, that its answer stays a few megabytes. */
const CELLS_AT_ONCE = 50_000;

type Table = "params" | "tags" | "last" | "min" | "max";

const QUERIES: Record<Table, string> = {
  params: query("params", "substr(x.value, 1, ?3)"),
  tags: query("tags", "substr(x.value, 1, ?3)", "and x.removed_at is null"),
  last: query("metric_summaries", "x.last", "and ?3"),
  min: query("metric_summaries", "x.min", "and ?3"),
  max: query("metric_summaries", "x.max", "and ?3"),
};

/** Rows of (place of the trial, place of the key, value), for the ids in ?1 and the keys in ?2. */
function query(table: string, value: string, more = ""): string {
  return `select t.key as place, k.key as column, ${value} as value
    from json_each(?1) t cross join json_each(?2) k
    cross join ${table} x on x.stream_id = t.value and x.key = k.value ${more}`;
}

/**
 * The values of some columns, each a list with a value for each trial.
 * @param ids of the trials' streams
 */
export async function cellsOf(
  db: D1Database,
  ids: readonly number[],
  columns: readonly KeyedColumn[],
): Promise<Cell[][]> {
  const cells = columns.map(() => ids.map((): Cell => null));
  if (ids.length === 0) return cells;
  const helping = Math.max(1, Math.floor(CELLS_AT_ONCE / ids.length));
  const places = Array.from(columns.entries());
  for (const [table, some] of Map.groupBy(places, ([, column]) => tableOf(column)))
    for (let at = 0; at < some.length; at += helping) {
      const here = some.slice(at, at + helping);
      const keys = here.map(([, { key }]) => key);
      for (const { place, column, value } of await readCells(db, table, ids, keys)) {
        const list = cells[here[column]?.[0] ?? -1];
        if (list) list[place] = value;
      }
    }
  return cells;
}

async function readCells(db: D1Database, table: Table, ids: readonly number[], keys: readonly string[]) {
  const { results } = await db
    .prepare(QUERIES[table])
    .bind(JSON.stringify(ids), JSON.stringify(keys), MAX_CELL_CHARS + 1)
    .all<{ place: number; column: number; value: Cell }>();
  return results.map((row) => ({ ...row, value: shortened(row.value) }));
}

function shortened(value: Cell): Cell {
  if (typeof value !== "string") return value;
  const short = cut(value, MAX_CELL_CHARS);
  return short.length === value.length ? value : `${short}…`;
}

const TABLES: Record<Exclude<KeyedKind, "best">, Table> = {
  params: "params",
  tags: "tags",
  metrics: "last",
  min: "min",
  max: "max",
};

function tableOf({ kind, key }: KeyedColumn): Table {
  return TABLES[kind === "best" ? bestIs(key) : kind];
}
