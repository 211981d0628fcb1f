import { invalid } from "../refusal.ts";
import type { Raw } from "./body.ts";
import { experimentIdOf } from "./ids.ts";
import { int32, int64, listOf, oneOf, text } from "./message.ts";
import { type Place, pageOf } from "./page-token.ts";
import { pythonInt } from "./python.ts";
import { endpoint, readJson, readQuery } from "./schema.ts";

const VIEW_TYPES = ["ACTIVE_ONLY", "DELETED_ONLY", "ALL"] as const;
export type ViewType = (typeof VIEW_TYPES)[number];

const MAX_RESULTS = 50_000;
const DEFAULT_RUNS = 1_000;

/** What a search is for, in MLflow's language, and which page of it. */
export type Search = {
  filter: string;
  orderBy: readonly string[];
  viewType: ViewType;
  maxResults: number;
  offset: number;
  /** The row behind which the page begins, as well as behind so many; not in every token. */
  after?: Place;
};

const RUNS = endpoint(
  {
    experiment_ids: listOf(text),
    filter: text,
    run_view_type: oneOf<ViewType>(...VIEW_TYPES),
    max_results: int32,
    order_by: listOf(text),
    page_token: text,
  },
  ["experiment_ids", "list"],
  ["filter", "text"],
  ["max_results", "int", isPageSize],
  ["order_by", "list", "texts"],
);

/** POST runs/search. No experiment's id finds nothing. */
export function readSearchRuns(body: Raw): Search & { experimentIds: string[] } {
  const sent = readJson(RUNS, body);
  const search = searchOf({
    ...sent,
    view_type: sent.run_view_type,
    max_results: sent.max_results ?? DEFAULT_RUNS,
  });
  return { experimentIds: (sent.experiment_ids ?? []).map(experimentIdOf), ...search };
}

const EXPERIMENTS = endpoint(
  {
    max_results: int64,
    page_token: text,
    filter: text,
    order_by: listOf(text),
    view_type: oneOf<ViewType>(...VIEW_TYPES),
  },
  ["max_results", "int"],
  ["order_by", "list"],
  ["filter", "text"],
  ["page_token", "text"],
);

/** POST experiments/search, where `max_results` must be sent. */
export function readSearchExperiments(body: Raw): Search {
  return searchOf(readJson(EXPERIMENTS, body));
}

/** GET experiments/search */
export function readSearchExperimentsQuery(query: URLSearchParams): Search {
  return searchOf(readQuery(EXPERIMENTS, query));
}

type Sent = {
  filter?: string;
  order_by?: readonly string[];
  view_type?: ViewType | undefined;
  max_results?: number;
  page_token?: string;
};

function searchOf(sent: Sent): Search {
  const { filter = "", order_by: orderBy = [], view_type: viewType = "ACTIVE_ONLY", max_results = 0 } = sent;
  const wrong = `Invalid value ${max_results} for parameter 'max_results' supplied. It must be`;
  if (max_results < 1) throw invalid(`${wrong} a positive integer`);
  if (max_results > MAX_RESULTS) throw invalid(`${wrong} at most ${MAX_RESULTS}`);
  return { filter, orderBy, viewType, maxResults: max_results, ...pageOf(sent.page_token) };
}

function isPageSize(value: unknown): boolean {
  const number = typeof value === "string" ? pythonInt(value) : value;
  return typeof number === "number" && number <= MAX_RESULTS;
}
