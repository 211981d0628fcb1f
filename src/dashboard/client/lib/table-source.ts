import type { TrialColumns, TrialTable } from "../../../answers/trial-table.ts";
import { columnOf, joinList } from "../../../domain/table-columns.ts";
import { inHelpings } from "./helpings.ts";
import { type Live, PACE, watch } from "./live.ts";
import { dataOf, type TableData, withCells, withColumns } from "./table-data.ts";

/** Where a table's data comes from: the API, asked again while the page is open. */

/** The API takes so many columns at once. */
const MAX_COLUMNS = 30;
/** And whole texts of so many columns and trials. */
const MAX_WHOLE_COLUMNS = 5;
const MAX_WHOLE_TRIALS = 200;

export type Query = {
  /** Whose trials, `model_run_id` or `trials`, and what goes with that. */
  scope: Readonly<Record<string, string>>;
  filter: string;
  spectral: boolean | null;
};

function addressOf({ scope, filter, spectral }: Query, columns: readonly string[]): string {
  const query = new URLSearchParams(scope);
  if (filter.trim() !== "") query.set("filter", filter);
  if (spectral !== null) query.set("spectral_norm", String(spectral));
  if (columns.length > 0) query.set("columns", joinList(columns));
  return `/api/trial-table?${query}`;
}

/** The columns of the trainer's own among some, in helpings that the API takes. */
export function helpingsOf(columns: readonly string[]): string[][] {
  const own = columns.filter((name) => (columnOf(name)?.kind ?? "field") !== "field");
  return inHelpings(own, MAX_COLUMNS);
}

type Answer = { table: TrialTable; tag: string | null };

/** What the relay does not take, in its words: asking the same again would not help. */
export class Refused extends Error {}

/** @throws Refused, or another error for what may be well the next time */
async function ask(address: string): Promise<Answer> {
  const response = await fetch(address, { headers: { accept: "application/json" }, cache: "no-cache" });
  if (!response.ok) throw await failureOf(response);
  return { table: await response.json(), tag: response.headers.get("etag") };
}

/** When what could not be read is asked for again. */
export const AGAIN_MS = 5_000;
const FAILED = "The trials could not be read. They are asked for again.";

/** What to say where something could not be read. */
export function wordsOf(error: unknown): string {
  return error instanceof Refused ? error.message : FAILED;
}

/** What is well once somebody signed in again, or waited. */
const PASSING_STATUSES = [401, 429];

async function failureOf(response: Response): Promise<Error> {
  const { status } = response;
  const isRefused = status >= 400 && status < 500 && !PASSING_STATUSES.includes(status);
  return isRefused ? new Refused(await refusalOf(response)) : new Error(`status ${status}`);
}

async function refusalOf(response: Response): Promise<string> {
  const problem: { detail?: string; errors?: { rule: string }[] } = await response.json().catch(() => ({}));
  return problem.errors?.map(({ rule }) => rule).join("; ") ?? problem.detail ?? `status ${response.status}`;
}

/** What was read. `tag`: of the moment at which its oldest part was. */
export type Read = { data: TableData; tag: string | null };

/** The data of some columns: all of them, or those that are not in what is known. */
export async function readAll(query: Query, columns: readonly string[], known: Read | null): Promise<Read> {
  const missing = columns.filter((name) => !known?.data.values.has(name));
  const [first = [], ...others] = helpingsOf(missing);
  if (known !== null && first.length === 0) return known;
  const answer = await ask(addressOf(query, first));
  let data = known === null ? dataOf(answer.table) : withColumns(known.data, answer.table);
  for (const helping of others) data = withColumns(data, (await ask(addressOf(query, helping))).table);
  return { data, tag: known === null ? answer.tag : known.tag };
}

/** What the API has cut ends so, after 200 characters. */
const CUT = /^.{200}…$/su;

/** The data with whole texts in some columns, where they were cut. */
export async function readWhole(data: TableData, columns: readonly string[]): Promise<TableData> {
  const isCut = (name: string, place: number) => CUT.test(String(data.values.get(name)?.[place] ?? ""));
  const long = columns.filter((name) => data.trials.id.some((_, place) => isCut(name, place)));
  let whole = data;
  for (const names of inHelpings(long, MAX_WHOLE_COLUMNS)) {
    const ids = data.trials.id.filter((_, place) => names.some((name) => isCut(name, place)));
    for (const trials of inHelpings(ids, MAX_WHOLE_TRIALS)) {
      const query = { scope: { trials: joinList(trials), whole: "true" }, filter: "", spectral: null };
      whole = withCells(whole, (await ask(addressOf(query, names))).table);
    }
  }
  return whole;
}

/** Says when something of the table is not any more as it was read. */
export function watchTable(query: Query, { tag }: Read, onChange: () => void): Live {
  return watch(`${addressOf(query, [])}&limit=1`, onChange, { firstMs: PACE.shortestMs, tag });
}

/** The columns that there are. */
export async function readKnownColumns(scope: Query["scope"]): Promise<TrialColumns> {
  const response = await fetch(`/api/trial-columns?${new URLSearchParams(scope)}`, { cache: "no-cache" });
  if (!response.ok) throw await failureOf(response);
  return response.json();
}
