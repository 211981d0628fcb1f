import { MAX_KEY_CHARS } from "../../domain/limits.ts";
import { quoted } from "../../domain/python.ts";
import { toWire, type WireNumber } from "../../domain/values.ts";
import { invalid } from "../refusal.ts";
import { isRaw, type Raw } from "./body.ts";
import { checkRunId } from "./ids.ts";
import { double, int64, listOf, message, text } from "./message.ts";
import { checkKey, checkLength, invalidValue, type Pair, readParam, readTag } from "./names.ts";
import { floatRepr } from "./python.ts";
import { tagMessage } from "./runs.ts";
import { endpoint, isThere, missing, readJson } from "./schema.ts";

/** One observation; `timestamp` in epoch milliseconds. `model`: the one that it is of as well, where it is of any. */
export type Metric = {
  key: string;
  value: WireNumber;
  timestamp: number;
  step: number;
  model?: OfModel;
};
/** The dataset that it was observed on, where one was named. */
export type OfModel = { modelId: string; datasetName: string | null; datasetDigest: string | null };

const METRIC = {
  key: text,
  value: double,
  timestamp: int64,
  step: int64,
  model_id: text,
  dataset_name: text,
  dataset_digest: text,
};
type SentMetric = {
  key?: string;
  value?: number;
  timestamp?: number;
  step?: number;
  model_id?: string;
  dataset_name?: string;
  dataset_digest?: string;
};

const LOG_METRIC = endpoint(
  { run_id: text, run_uuid: text, ...METRIC },
  ["run_id", "required", "text"],
  ["key", "required", "text"],
  ["value", "required", "float"],
  ["timestamp", "int", "required"],
  ["step", "int"],
);

/** POST runs/log-metric */
export function readLogMetric(body: Raw): Metric & { runId: string } {
  const { run_id, run_uuid = "", ...sent } = readJson(LOG_METRIC, body);
  checkDataset(sent);
  return { runId: run_id || run_uuid, ...readMetric(sent, "") };
}

const PAIR = { key: text, value: text };
const OF_RUN = { run_id: text, run_uuid: text };

const LOG_PARAM = endpoint(
  { ...OF_RUN, ...PAIR },
  ["run_id", "required", "text"],
  ["key", "required", "text"],
  ["value", "text"],
);

/** POST runs/log-parameter */
export function readLogParam(body: Raw): Pair & { runId: string } {
  const { run_id, run_uuid = "", ...sent } = readJson(LOG_PARAM, body);
  return { runId: run_id || run_uuid, ...readParam(sent) };
}

/** POST runs/set-tag */
export function readSetTag(body: Raw): Pair & { runId: string } {
  const { run_id, run_uuid = "", ...sent } = readJson(LOG_PARAM, body);
  return { runId: run_id || run_uuid, ...readTag(sent) };
}

const DELETE_TAG = endpoint(
  { run_id: text, key: text },
  ["run_id", "required", "text"],
  ["key", "required", "text"],
);

/** POST runs/delete-tag, where MLflow looks at no key, and `run_uuid` names no run. */
export function readDeleteTag(body: Raw): { runId: string; key: string } {
  const { run_id: runId = "", key = "" } = readJson(DELETE_TAG, body);
  return { runId, key };
}

const MAX_METRICS = 1_000;
/** MLflow's columns. */
const MAX_DATASET_NAME_CHARS = 500;
const MAX_DATASET_DIGEST_CHARS = 36;
const MAX_PARAMS_OR_TAGS = 100;
const MAX_ITEMS = 1_000;

const LOG_BATCH = endpoint(
  { run_id: text, metrics: listOf(message(METRIC)), params: listOf(tagMessage), tags: listOf(tagMessage) },
  ["run_id", "text", "required"],
  ["metrics", "list", allHave("metrics", "key", "value", "timestamp")],
  ["params", "list", allHave("params", "key")],
  ["tags", "list", allHave("tags", "key")],
);

export type LogBatch = { runId: string; metrics: Metric[]; params: Pair[]; tags: Pair[] };

/** POST runs/log-batch. Of tags with one key the last counts, and stands where the first stood. */
export function readLogBatch(body: Raw): LogBatch {
  const sent = readJson(LOG_BATCH, body);
  const { run_id: runId = "" } = sent;
  for (const metric of sent.metrics ?? []) checkDataset(metric);
  checkRunId(runId);
  const metrics = (sent.metrics ?? []).map((metric, i) => readMetric(metric, `metrics[${i}].`));
  const params = (sent.params ?? []).map((param, i) => readParam(param, `params[${i}].`));
  const tags = (sent.tags ?? []).map((tag, i) => readTag(tag, `tags[${i}].`));
  checkCount("metrics", MAX_METRICS, metrics.length);
  checkCount("params", MAX_PARAMS_OR_TAGS, params.length);
  checkCount("tags", MAX_PARAMS_OR_TAGS, tags.length);
  checkCount("metrics, params, and tags", MAX_ITEMS, metrics.length + params.length + tags.length);
  checkDifferent(params);
  return { runId, metrics, params, tags };
}

/** MLflow has both or none, and an empty text is none. It looks at nothing else before. */
function checkDataset({ dataset_name: name = "", dataset_digest: digest = "" }: SentMetric): void {
  if ((name === "") !== (digest === ""))
    throw invalid("Both dataset_name and dataset_digest must be provided if one is provided");
}

function readMetric(sent: SentMetric, at: string): Metric {
  const { key = "", value = 0, timestamp = 0, step = 0 } = sent;
  const { model_id: modelId = "", dataset_name: datasetName = "", dataset_digest: datasetDigest = "" } = sent;
  checkKey(key, `${at}name`);
  if (timestamp < 0)
    throw invalidValue(
      `${at}timestamp`,
      timestamp,
      `metric '${key}' (value=${floatRepr(value)}). Timestamp must be a nonnegative long (64-bit integer) `,
    );
  checkLength("Metric name", MAX_KEY_CHARS, key);
  checkLength("dataset_name", MAX_DATASET_NAME_CHARS, datasetName);
  checkLength("dataset_digest", MAX_DATASET_DIGEST_CHARS, datasetDigest);
  const point = { key, value: toWire(value), timestamp, step };
  if (modelId === "") return point;
  return {
    ...point,
    model: { modelId, datasetName: datasetName || null, datasetDigest: datasetDigest || null },
  };
}

function allHave(list: string, ...names: readonly string[]): (items: unknown) => true | string {
  return (items) => {
    if (!Array.isArray(items)) return true;
    for (const [i, item] of items.entries())
      for (const name of names)
        if (!isThere(isRaw(item) ? item[name] : undefined)) return missing(`${list}[${i}].${name}`);
    return true;
  };
}

function checkCount(items: string, limit: number, count: number): void {
  if (count > limit)
    throw invalid(
      `A batch logging request can contain at most ${limit} ${items}. Got ${count} ${items}.` +
        ` Please split up ${items} across multiple requests and try again.`,
    );
}

function checkDifferent(params: readonly Pair[]): void {
  const seen = new Set<string>();
  const again = params.filter(({ key }) => seen.size === seen.add(key).size).map(({ key }) => quoted(key));
  if (again.length > 0)
    throw invalid(
      `Duplicate parameter keys have been submitted: [${again.join(", ")}]. Please ensure ` +
        "the request contains only one param value per param key.",
    );
}
