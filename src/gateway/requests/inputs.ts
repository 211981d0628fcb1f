import { invalid } from "../refusal.ts";
import type { Raw } from "./body.ts";
import { listOf, message, text } from "./message.ts";
import type { Pair } from "./names.ts";
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
const MAX_CHARS = { name: 500, digest: 36, source: 65_535, schema: 1_048_575, profile: 16_777_215 } as const;
/** A row of the database holds 2 MB, and a character takes up to three bytes. */
const MAX_BODY_CHARS = 600_000;

/**
 * POST runs/log-inputs. A model has MLflow's own id, here too.
 * @throws Refusal
 */
export function readLogInputs(body: Raw): { runId: string; inputs: (DatasetInput | ModelInput)[] } {
  const { run_id: runId = "", datasets = [], models = [] } = readJson(LOG_INPUTS, body);
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
  for (const [field, limit] of Object.entries(MAX_CHARS)) {
    const chars = String(Object.entries(dataset).find(([key]) => key === field)?.[1] ?? "").length;
    if (chars > limit) throw invalid(`'${at}.${field}' exceeds the maximum length of ${limit} characters`);
  }
  const input = {
    tags: tags.map(({ key = "", value = "" }) => ({ key, value })),
    dataset: {
      name,
      digest,
      source_type,
      source,
      ...(schema === undefined ? {} : { schema }),
      ...(profile === undefined ? {} : { profile }),
    },
  };
  if (JSON.stringify(input).length > MAX_BODY_CHARS)
    throw invalid(`'${at}' is longer than ${MAX_BODY_CHARS} characters, which is what the relay keeps`);
  return input;
}
