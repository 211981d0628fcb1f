import { fromWire, toWire } from "../../domain/values.ts";
import type { ModelStatus } from "../../domain/words.ts";

/** A logged model as MLflow's clients see it. Times in epoch milliseconds. */
export type ModelShown = {
  id: string;
  experimentId: string;
  name: string;
  modelType: string;
  sourceRunId: string | null;
  status: ModelStatus;
  artifactUri: string;
  createdTime: number;
  updatedTime: number;
  tags: Readonly<Record<string, string>>;
  params: Readonly<Record<string, string>>;
};

/** One of its metrics' points. */
export type ModelPointShown = {
  key: string;
  value: number | string;
  timestamp: number;
  step: number;
  runId: string;
  datasetName: string | null;
  datasetDigest: string | null;
};

/** The body of an answer with one model. */
export function modelAnswer(model: ModelShown, points: readonly ModelPointShown[]) {
  return { model: modelOf(model, points) };
}

/** A model in any answer. */
export function modelOf(model: ModelShown, points: readonly ModelPointShown[]) {
  return {
    info: {
      model_id: model.id,
      experiment_id: model.experimentId,
      name: model.name,
      creation_timestamp_ms: model.createdTime,
      last_updated_timestamp_ms: model.updatedTime,
      artifact_uri: model.artifactUri,
      status: model.status,
      model_type: model.modelType,
      source_run_id: model.sourceRunId ?? "",
      ...listed("tags", pairsOf(model.tags)),
    },
    data: {
      ...listed("params", pairsOf(model.params)),
      ...listed(
        "metrics",
        points.map((point) => pointOf(model.id, point)),
      ),
    },
  };
}

function pointOf(
  modelId: string,
  { key, value, timestamp, step, runId, datasetName, datasetDigest }: ModelPointShown,
) {
  return {
    key,
    value: toWire(fromWire(value)),
    timestamp,
    step,
    ...(datasetName === null ? {} : { dataset_name: datasetName }),
    ...(datasetDigest === null ? {} : { dataset_digest: datasetDigest }),
    model_id: modelId,
    run_id: runId,
  };
}

function pairsOf(texts: Readonly<Record<string, string>>) {
  return Object.entries(texts)
    .map(([key, value]) => ({ key, value }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}

function listed(name: string, items: readonly object[]) {
  return items.length === 0 ? {} : { [name]: items };
}
