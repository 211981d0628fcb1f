import { cut } from "../../domain/limits.ts";
import { invalid } from "../refusal.ts";
import type { Raw } from "./body.ts";
import { checkRunId } from "./ids.ts";
import { listOf, message, text } from "./message.ts";
import { checkLength, type Pair } from "./names.ts";
import { tagMessage } from "./runs.ts";
import { endpoint, isThere, missing, readJson } from "./schema.ts";

/** A dataset that a run was given, and the tags of its use there. */
export type DatasetInput = {
  tags: Pair[];
  dataset: {
    name: string;
    digest: string;
    source_type: string;
    source: string;
    schema?: string;
    profile?: string;
  };
};

/** A logged model that a run was given. */
export type ModelInput = { model_id: string };

const DATASET = message({
  name: text,
  digest: text,
  source_type: text,
  source: text,
  schema: text,
  profile: text,
});

const LOG_INPUTS = endpoint(
  {
    run_id: text,
    datasets: listOf(message({ tags: listOf(tagMessage), dataset: DATASET })),
    models: listOf(message({ model_id: text })),
  },
  ["run_id", "required", "text"],
  ["datasets", "list"],
);

/** MLflow's columns. */
const MAX_CHARS = { name: 500, digest: 36, source: 65_535, schema: 1_048_575, profile: 16_777_215 };
const MAX_TAG_CHARS = { key: 255, value: 500 };
/** MLflow does not look, and a database other than SQLite refuses more. */
const MAX_SOURCE_TYPE_CHARS = 36;
/** A row of the database holds 2 MB, and a character takes up to three bytes. */
const MAX_BODY_CHARS = 600_000;

/**
 * POST runs/log-inputs. A model has MLflow's own id, here too.
 * @throws Refusal
 */
export function readLogInputs(body: Raw): { runId: string; inputs: (DatasetInput | ModelInput)[] } {
  const { run_id: runId = "", datasets = [], models = [] } = readJson(LOG_INPUTS, body);
  checkRunId(runId);
  return { runId, inputs: [...datasets.map(readInput), ...models.map(readModel)] };
}

function readModel({ model_id = "" }: Partial<ModelInput>, i: number): ModelInput {
  if (!isThere(model_id)) throw invalid(missing(`models[${i}].model_id`));
  return { model_id };
}

function readInput(
  {
    tags = [],
    dataset = {},
  }: { tags?: readonly Partial<Pair>[]; dataset?: Partial<DatasetInput["dataset"]> },
  i: number,
): DatasetInput {
  const at = `datasets[${i}].dataset`;
  const { name = "", digest = "", source_type = "", source = "", schema, profile } = dataset;
  for (const [field, value] of Object.entries({ name, digest, source_type, source }))
    if (!isThere(value)) throw invalid(missing(`${at}.${field}`));
  checkLengths(MAX_CHARS, { name, digest, source, schema, profile });
  for (const { key, value } of tags) checkLengths(MAX_TAG_CHARS, { key, value });
  const input = {
    tags: tags.map(({ key = "", value = "" }) => ({ key, value })),
    dataset: {
      name,
      digest,
      source_type: cut(source_type, MAX_SOURCE_TYPE_CHARS),
      source,
      ...(schema === undefined ? {} : { schema }),
      ...(profile === undefined ? {} : { profile }),
    },
  };
  if (JSON.stringify(input).length > MAX_BODY_CHARS)
    throw invalid(`'${at}' is longer than ${MAX_BODY_CHARS} characters, which is what the relay keeps`);
  return input;
}

function checkLengths<Field extends string>(
  limits: Readonly<Record<Field, number>>,
  texts: Readonly<Record<Field, string | undefined>>,
): void {
  for (const field in limits) checkLength(field, limits[field], texts[field] ?? "");
}
