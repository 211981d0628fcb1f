import { joinList, splitList } from "../../../domain/table-columns.ts";

/** What a reader has chosen of a table, as it stands in the page's address; what is not there is as it is at first. */
export type TableState = {
  /** Names of columns from left to right; null: those that are chosen for the reader. */
  columns: readonly string[] | null;
  /** Names of the columns that stay at the left. */
  pins: readonly string[];
  /** A column's name, with - before it for descending. */
  sort: string | null;
  filter: string;
  spectral: boolean | null;
  /** The column that trials are grouped by. */
  group: string | null;
  /** Only columns in which the trials differ. */
  differs: boolean;
};

/** Cloudflare takes addresses of 16 KB, with all else that stands in one. */
const MAX_QUERY_CHARS = 14_000;

export const FIRST_PINS: readonly string[] = ["trial_id"];

/** The state in a query; what is not understood is as if it were not there. */
export function readTableState(query: URLSearchParams): TableState {
  const columns = query.get("columns");
  const spectral = query.get("spectral_norm");
  const pins = query.get("pin");
  return {
    columns: columns === null ? null : unique(splitList(columns)),
    pins: pins === null ? FIRST_PINS : unique(splitList(pins)),
    sort: query.get("sort") || null,
    filter: query.get("filter") ?? "",
    spectral: spectral === "true" ? true : spectral === "false" ? false : null,
    group: query.get("group") || null,
    differs: query.has("differs"),
  };
}

/**
 * The query of a state, with what the address has besides. More columns than an address can have are not in it: who opens
 * it sees those as at first, where an address that nobody takes would show nothing.
 */
export function writeTableState(state: TableState, before: URLSearchParams): URLSearchParams {
  const query = new URLSearchParams(before);
  const set = (name: string, value: string | null) => {
    if (value === null) query.delete(name);
    else query.set(name, value);
  };
  set("columns", state.columns && joinList(state.columns));
  set("pin", joinList(state.pins) === joinList(FIRST_PINS) ? null : joinList(state.pins));
  set("sort", state.sort);
  set("filter", state.filter || null);
  set("spectral_norm", state.spectral === null ? null : String(state.spectral));
  set("group", state.group);
  set("differs", state.differs ? "1" : null);
  if (query.toString().length > MAX_QUERY_CHARS) query.delete("columns");
  return query;
}

/** Whether an address can have all columns that were chosen. */
export function fitsIntoAddress(state: TableState): boolean {
  return state.columns === null || writeTableState(state, new URLSearchParams()).has("columns");
}

/** The next sort when a column's heading is pressed: the better end first, then the other, then none. */
export function nextSort(sort: string | null, column: string, descendingFirst: boolean): string | null {
  const [first, second] = descendingFirst ? [`-${column}`, column] : [column, `-${column}`];
  if (sort === first) return second;
  return sort === second ? null : first;
}

/** A list with an item moved to the place of another. */
export function moved(list: readonly string[], item: string, to: number): string[] {
  const others = list.filter((other) => other !== item);
  return others.toSpliced(Math.max(0, Math.min(to, others.length)), 0, item);
}

function unique(list: readonly string[]): string[] {
  return [...new Set(list)].filter((item) => item !== "");
}
