import { invalid } from "../refusal.ts";
import { int32, int64, listOf, text } from "./message.ts";
import { offsetOf } from "./page-token.ts";
import { pythonInt } from "./python.ts";
import { endpoint, readQuery } from "./schema.ts";

const HISTORY = endpoint(
  { run_id: text, run_uuid: text, metric_key: text, page_token: text, max_results: int32 },
  ["run_id", "text", "required"],
  ["metric_key", "text", "required"],
  ["page_token", "text"],
);

/** A null `maxResults` is for all there is. */
export type History = { runId: string; metricKey: string; maxResults: number | null; offset: number };

/** GET metrics/get-history */
export function readHistory(query: URLSearchParams): History {
  const { run_id, run_uuid = "", metric_key: metricKey = "", ...sent } = readQuery(HISTORY, query);
  const { max_results: maxResults = null, page_token } = sent;
  if (maxResults !== null && maxResults <= 0)
    throw invalid(
      `Invalid value ${maxResults} for parameter 'max_results' supplied. It must be a positive integer.`,
    );
  return { runId: run_id || run_uuid, metricKey, maxResults, offset: offsetOf(page_token) };
}

const MAX_RUNS = 100;
const MAX_BULK_RESULTS = 25_000;

export type BulkHistory = { runIds: string[]; metricKey: string; maxResults: number };

/** GET metrics/get-history-bulk, which MLflow's page in the browser asks for. */
export function readBulkHistory(query: URLSearchParams): BulkHistory {
  const runIds = query.getAll("run_id");
  if (runIds.length === 0) throw invalid("GetMetricHistoryBulk request must specify at least one run_id.");
  if (runIds.length > MAX_RUNS)
    throw invalid(
      `GetMetricHistoryBulk request cannot specify more than ${MAX_RUNS} run_ids. Received ${runIds.length} run_ids.`,
    );
  const metricKey = query.get("metric_key");
  if (metricKey === null) throw invalid("GetMetricHistoryBulk request must specify a metric_key.");
  const sent = query.get("max_results");
  const count = sent === null ? MAX_BULK_RESULTS : pythonInt(sent);
  if (count === null || count < 0)
    throw invalid(`Invalid value ${sent} for parameter 'max_results' supplied. It must be a whole number.`);
  return { runIds, metricKey, maxResults: Math.min(count, MAX_BULK_RESULTS) };
}

const MAX_INTERVAL_RESULTS = 2_500;

const INTERVAL = endpoint(
  { run_ids: listOf(text), metric_key: text, start_step: int64, end_step: int64, max_results: int64 },
  ["run_ids", "required", "list", "texts", areFew],
  ["metric_key", "required", "text"],
  ["start_step", "int"],
  ["end_step", "int"],
  ["max_results", "int", isInterval],
);

/** `steps` are the first and the last, null for all; at most `maxResults` points of each run. */
export type IntervalHistory = {
  runIds: readonly string[];
  metricKey: string;
  steps: { first: number; last: number } | null;
  maxResults: number;
};

/** GET metrics/get-history-bulk-interval */
export function readIntervalHistory(query: URLSearchParams): IntervalHistory {
  const { run_ids: runIds = [], metric_key: metricKey = "", ...sent } = readQuery(INTERVAL, query);
  const { start_step: first, end_step: last, max_results: maxResults = MAX_INTERVAL_RESULTS } = sent;
  if ((first === undefined) !== (last === undefined))
    throw invalid("If either start step or end step are specified, both must be specified.");
  if (first === undefined || last === undefined) return { runIds, metricKey, steps: null, maxResults };
  if (first > last)
    throw invalid(
      `end_step must be greater than start_step. Found start_step=${first} and end_step=${last}.`,
    );
  return { runIds, metricKey, steps: { first, last }, maxResults };
}

function areFew(runIds: unknown): true | string {
  if (!Array.isArray(runIds) || runIds.length <= MAX_RUNS) return true;
  return `GetMetricHistoryBulkInterval request must specify at most ${MAX_RUNS} run_ids. Received ${runIds.length} run_ids.`;
}

function isInterval(value: unknown): true | string {
  const count = typeof value === "string" ? pythonInt(value) : null;
  const isAllowed = count !== null && count >= 1 && count <= MAX_INTERVAL_RESULTS;
  return isAllowed || `max_results must be between 1 and ${MAX_INTERVAL_RESULTS}.`;
}
