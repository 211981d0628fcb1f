import type { Latest, Pair, RunHead } from "../../domain/client-run.ts";
import { toWire } from "../../domain/values.ts";

/** A run as MLflow's clients see it; an end at 0 is shown as none, as by MLflow. */
export type RunShown = RunHead & {
  params: readonly Pair[];
  tags: readonly Pair[];
  metrics: readonly Latest[];
  /** The datasets and models that it was given, as they were said. */
  inputs?: readonly object[];
  /** The models that it made. */
  outputs?: readonly { modelId: string; step: number }[];
};

/** The body of `runs/get`. */
export function runAnswer(run: RunShown) {
  return { run: runOf(run) };
}

/** The body of `runs/create`, which has no place for outputs. */
export function madeRunAnswer(run: RunShown) {
  const { outputs: _, ...made } = runOf(run);
  return { run: made };
}

/** The body of `runs/update`: a run's own state. */
export function runInfoAnswer(run: RunShown) {
  return { run_info: infoOf(run) };
}

/**
 * A run in any answer. MLflow leaves empty lists out. It shows metrics, parameters and tags as its database happens to
 * give them; here they are in the order of their keys.
 */
export function runOf(run: RunShown) {
  return {
    info: infoOf(run),
    data: {
      ...listed(
        "metrics",
        run.metrics.map(({ value, ...metric }) => ({ ...metric, value: toWire(value) })),
      ),
      ...listed("params", run.params),
      ...listed("tags", run.tags),
    },
    inputs: inputsOf(run.inputs ?? []),
    outputs: outputsOf(run.outputs ?? []),
  };
}

function inputsOf(inputs: readonly object[]) {
  const models = inputs.filter((input) => "model_id" in input);
  const datasets = inputs.filter((input) => !("model_id" in input));
  return {
    ...(datasets.length === 0 ? {} : { dataset_inputs: datasets }),
    ...(models.length === 0 ? {} : { model_inputs: models }),
  };
}

function outputsOf(outputs: NonNullable<RunShown["outputs"]>) {
  const models = outputs.map(({ modelId, step }) => ({ model_id: modelId, step }));
  return models.length === 0 ? {} : { model_outputs: models };
}

function infoOf(run: RunShown) {
  return {
    run_uuid: run.runId,
    experiment_id: run.experimentId,
    run_name: run.runName,
    user_id: run.userId,
    status: run.status,
    start_time: run.startTime,
    ...(run.endTime ? { end_time: run.endTime } : {}),
    artifact_uri: run.artifactUri,
    lifecycle_stage: run.lifecycleStage,
    run_id: run.runId,
  };
}

function listed(name: string, items: readonly { key: string }[]) {
  return items.length === 0 ? {} : { [name]: items.toSorted((a, b) => (a.key < b.key ? -1 : 1)) };
}
