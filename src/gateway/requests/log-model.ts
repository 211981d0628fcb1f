import { scanJson } from "../../domain/json-scan.ts";
import { quoted } from "../../domain/python.ts";
import { invalid } from "../refusal.ts";
import { isRaw, type Raw } from "./body.ts";
import { text } from "./message.ts";
import { endpoint, readJson } from "./schema.ts";

/** What is kept of a model that a client of MLflow 1 or 2 logged, in MLflow's order. */
export type ModelSummary = {
  run_id: unknown;
  artifact_path: unknown;
  utc_time_created: string;
  model_uuid: unknown;
  flavors: Raw;
};

const LOG_MODEL = endpoint(
  { run_id: text, model_json: text },
  ["run_id", "text", "required"],
  ["model_json", "text", "required"],
);
const MANDATORY = ["artifact_path", "flavors", "utc_time_created", "run_id"];

/** POST runs/log-model */
export function readLogModel(body: Raw): { runId: string; model: ModelSummary } {
  const { run_id: runId = "", model_json: json = "" } = readJson(LOG_MODEL, body);
  const model = parsed(json);
  const missing = MANDATORY.filter((name) => !Object.hasOwn(model ?? {}, name));
  if (model !== null && missing.length > 0)
    throw invalid(`Model json is missing mandatory fields: {${missing.map(quoted).join(", ")}}`);
  const flavors = model?.flavors;
  if (model === null || !isRaw(flavors))
    throw invalid(`Malformed model info. \n ${json} \n is not a valid JSON.`);
  return {
    runId,
    model: {
      run_id: model.run_id,
      artifact_path: model.artifact_path,
      utc_time_created: String(model.utc_time_created),
      model_uuid: model.model_uuid ?? null,
      flavors: Object.fromEntries(
        Object.entries(flavors).map(([flavor, said]) => [flavor, isRaw(said) ? withoutConfig(said) : said]),
      ),
    },
  };
}

/** Null for what is no object, or nests deeper than MLflow reads. */
function parsed(json: string): Raw | null {
  const scanned = scanJson(json);
  if (scanned.deep.size > 0) return null;
  try {
    const value: unknown = JSON.parse(scanned.text);
    return isRaw(value) ? value : null;
  } catch {
    return null;
  }
}

function withoutConfig({ config: _, ...rest }: Raw): Raw {
  return rest;
}
