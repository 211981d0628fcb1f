import type { ModelTerm } from "../model-order.ts";
import { invalid } from "../refusal.ts";
import type { Raw } from "./body.ts";
import { experimentIdOf } from "./ids.ts";
import { boolean, int32, listOf, message, text } from "./message.ts";
import { type Place, pageOf } from "./page-token.ts";
import { endpoint, readJson } from "./schema.ts";

const SEARCH = endpoint(
  {
    experiment_ids: listOf(text),
    filter: text,
    datasets: listOf(message({ dataset_name: text, dataset_digest: text })),
    max_results: int32,
    order_by: listOf(
      message({ field_name: text, ascending: boolean, dataset_name: text, dataset_digest: text }),
    ),
    page_token: text,
  },
  ["experiment_ids", "list", "texts", "required"],
  ["filter", "text"],
  ["max_results", "int"],
  ["order_by", "list"],
  ["page_token", "text"],
);

/** Only points with one of these datasets count; without a digest whichever has the name. */
export type DatasetAsked = { name: string; digest: string | null };

/** What a search of logged models is for, and which page of it. */
export type SearchModels = {
  experimentIds: string[];
  filter: string;
  datasets: DatasetAsked[];
  terms: ModelTerm[];
  maxResults: number;
  offset: number;
  /** The model behind which the page begins, as well as behind so many; not in every token. */
  after?: Place;
};

const DEFAULT_RESULTS = 100;
/** A page with all that the models hold is put together in memory. */
const MAX_RESULTS = 1_000;

/** POST logged-models/search */
export function readSearchModels(body: Raw): SearchModels {
  const sent = readJson(SEARCH, body);
  const datasets = (sent.datasets ?? []).map(({ dataset_name: name = "", dataset_digest = "" }) => ({
    name,
    digest: dataset_digest || null,
  }));
  if (datasets.some(({ name }) => name === ""))
    throw invalid("`dataset_name` in the `datasets` clause must be specified.");
  const maxResults = sent.max_results || DEFAULT_RESULTS;
  if (maxResults < 0 || maxResults > MAX_RESULTS)
    throw invalid(
      `Invalid value ${maxResults} for parameter 'max_results' supplied. It must be from 1 to ${MAX_RESULTS}`,
    );
  return {
    experimentIds: (sent.experiment_ids ?? []).map(experimentIdOf),
    filter: sent.filter ?? "",
    datasets,
    terms: (sent.order_by ?? []).map(
      ({ field_name: field = "", ascending = true, dataset_name = "", dataset_digest = "" }) => ({
        field,
        ascending,
        datasetName: dataset_name,
        datasetDigest: dataset_digest,
      }),
    ),
    maxResults,
    ...pageOf(sent.page_token),
  };
}
