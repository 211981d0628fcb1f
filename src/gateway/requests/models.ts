import { toRecord } from "../../domain/pairs.ts";
import { quoted } from "../../domain/python.ts";
import { MODEL_STATUSES, type ModelStatus } from "../../domain/words.ts";
import { invalid } from "../refusal.ts";
import type { Raw } from "./body.ts";
import { experimentIdOf } from "./ids.ts";
import { int64, listOf, message, oneOf, text } from "./message.ts";
import { checkLength, checkOwn, invalidValue, type Pair } from "./names.ts";
import { tagMessage } from "./runs.ts";
import { endpoint, isThere, missing, readJson } from "./schema.ts";

/** Requests about logged models; the model's own id is in the address. */

/** MLflow's columns. */
const MAX_NAME_CHARS = 500;
const MAX_KEY_CHARS = 255;
/** A row of the database holds 2 MB, and a character takes up to three bytes. */
const MAX_TEXTS_CHARS = 600_000;
/** `_validate_logged_model_name` of mlflow/utils/validation.py. */
const NOT_IN_NAMES = ["/", ":", ".", "%", '"', "'"];

const CREATE = endpoint(
  {
    experiment_id: text,
    name: text,
    model_type: text,
    source_run_id: text,
    params: listOf(tagMessage),
    tags: listOf(tagMessage),
  },
  ["experiment_id", "text", "required"],
  ["name", "text"],
  ["model_type", "text"],
  ["source_run_id", "text"],
  ["params", "list"],
  ["tags", "list"],
);

/** An empty name leaves the choice to the server; an empty run is none. */
export type CreateModel = {
  experimentId: string;
  name: string;
  modelType: string;
  sourceRunId: string;
  params: Pair[];
  tags: Pair[];
};

/** POST logged-models */
export function readCreateModel(body: Raw): CreateModel {
  const sent = readJson(CREATE, body);
  const { experiment_id = "", name = "", model_type: modelType = "", source_run_id: sourceRunId = "" } = sent;
  if (NOT_IN_NAMES.some((char) => name.includes(char)))
    throw invalid(
      `Invalid model name (${quoted(name)}) provided. Model name must be a non-empty string and cannot contain the following characters: (${NOT_IN_NAMES.map(quoted).join(", ")})`,
    );
  checkLength("name", MAX_NAME_CHARS, name);
  checkLength("model_type", MAX_NAME_CHARS, modelType);
  return {
    experimentId: experimentIdOf(experiment_id),
    name,
    modelType,
    sourceRunId,
    params: readPairs(sent.params ?? [], "params"),
    tags: readPairs(sent.tags ?? [], "tags"),
  };
}

const FINALIZE = endpoint(
  { model_id: text, status: oneOf<ModelStatus>(...MODEL_STATUSES) },
  ["model_id", "text", "required"],
  ["status", "required"],
);

/** PATCH logged-models/{id} */
export function readFinalizeModel(body: Raw): { status: ModelStatus } {
  const { status } = readJson(FINALIZE, body);
  if (status === undefined) throw invalid(missing("status"));
  return { status };
}

const TAGS = endpoint({ tags: listOf(tagMessage) }, ["tags", "list"]);

/** PATCH logged-models/{id}/tags. Of tags with one key the last counts. */
export function readModelTags(body: Raw): Record<string, string> {
  const last = new Map((readJson(TAGS, body).tags ?? []).map(({ key = "", value = "" }) => [key, value]));
  const pairs = Array.from(last, ([key, value]) => ({ key, value }));
  return toRecord(readPairs(pairs, "tags"));
}

const PARAMS = endpoint(
  { model_id: text, params: listOf(tagMessage) },
  ["model_id", "text", "required"],
  ["params", "list"],
);

/** POST logged-models/{id}/params */
export function readModelParams(body: Raw): Record<string, string> {
  const pairs = readPairs(readJson(PARAMS, body).params ?? [], "params");
  return toRecord(pairs);
}

function readPairs(sent: readonly Partial<Pair>[], list: "params" | "tags"): Pair[] {
  const pairs = sent.map(({ key = "", value = "" }, i) => {
    checkOwn(key, `${list}[${i}].key`);
    // A tag's stands in an address, where these lead elsewhere.
    if (list === "tags" && (key === "." || key === ".."))
      throw invalidValue(`${list}[${i}].key`, key, "It must not be a dot or two.");
    checkLength(`${list}[${i}].key`, MAX_KEY_CHARS, key);
    return { key, value };
  });
  if (new Set(pairs.map(({ key }) => key)).size < pairs.length)
    throw invalid(`A model's ${list} must have different keys.`);
  if (JSON.stringify(pairs).length > MAX_TEXTS_CHARS)
    throw invalid(`'${list}' is longer than ${MAX_TEXTS_CHARS} characters, which is what the relay keeps`);
  return pairs;
}

const OUTPUTS = endpoint(
  { run_id: text, models: listOf(message({ model_id: text, step: int64 })) },
  ["run_id", "required", "text"],
  ["models", "required", "list"],
);

/** POST runs/outputs */
export function readLogOutputs(body: Raw): { runId: string; models: { modelId: string; step: number }[] } {
  const { run_id: runId = "", models = [] } = readJson(OUTPUTS, body);
  return {
    runId,
    models: models.map(({ model_id = "", step = 0 }, i) => {
      if (!isThere(model_id)) throw invalid(missing(`models[${i}].model_id`));
      return { modelId: model_id, step };
    }),
  };
}
