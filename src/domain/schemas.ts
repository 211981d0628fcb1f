import * as z from "zod";
import * as field from "./fields.ts";
import type { EventType } from "./types.ts";

/** The flat bodies of the events: the original's fields, and the relay's additions. */

const envelope = {
  event: z.string(),
  event_id: field.eventId.optional(),
  occurred_at: field.moment.optional(),
  correlation_id: field.correlationId.optional(),
  actor: field.actor.optional(),
  metadata: field.map.optional(),
  model_run_id: field.identifier,
};

const trial = { ...envelope, trial_id: field.identifier };

/** What MLflow shows of a run beside its parameters and metrics: people edit it on both sides. */
const shown = { description: field.description.optional(), tags: field.map.optional() };

const trialEnd = {
  ...trial,
  ...shown,
  mlflow_run_id: field.mlflowRunId.optional(),
  parameters: field.map.optional(),
  metrics: field.map.optional(),
  step: field.step.optional(),
  duration_ms: field.duration.optional(),
  candidate_id: field.freeText.optional(),
  pulse_id: field.freeText.optional(),
};

const trialStopped = {
  ...trialEnd,
  spectral_norm: field.flag.optional(),
  error_message: field.freeText.optional(),
};

export const runStart = z.object({
  ...envelope,
  ...shown,
  requested_trials: field.positive,
  search_space_version: field.positive,
  max_params: field.anyInteger.optional(),
  experiment_name: field.experimentName.optional(),
  run_name: field.runName.optional(),
});

export const runStop = z.object({
  ...envelope,
  ...shown,
  state: field.runState,
  completed_trials: field.nonNegative,
  best_metric: field.metricValue.optional(),
  best_trial_id: field.identifier.optional(),
  error_message: field.freeText.optional(),
});

export const runMetric = z.object({
  ...trial,
  metric_name: field.freeText.optional(),
  metric_value: field.leaf.optional(),
  metrics: field.map.optional(),
  step: field.step.optional(),
  spectral_norm: field.flag.optional(),
});

export const trialStart = z.object({
  ...trial,
  ...shown,
  spectral_norm: field.flag,
  mlflow_run_id: field.mlflowRunId.optional(),
  parameters: field.map.optional(),
  candidate_id: field.freeText.optional(),
  experiment_name: field.experimentName.optional(),
  run_name: field.runName.optional(),
  resume: field.flag.optional(),
});

export const trialComplete = z.object({
  ...trialEnd,
  spectral_norm: field.flag,
  metrics: field.map,
  artifact_uri: field.freeText.optional(),
  rank: field.anyInteger.optional(),
  warnings: field.warnings.optional(),
  bridge_payload: field.map.optional(),
});

export const trialFailed = z.object({
  ...trialStopped,
  error_message: field.freeText,
  error_type: field.freeText.optional(),
  stacktrace: field.freeText.optional(),
});

export const trialSkipped = z.object(trialStopped);

const artifact = {
  ...trial,
  uri: field.artifactUri.optional(),
  checksum: field.checksum.optional(),
  semver: field.semver.optional(),
};

export const artifactCreated = z.object({
  ...artifact,
  uri: field.artifactUri,
  bytes: field.nonNegative.optional(),
  spec_id: field.freeText.optional(),
});

export const artifactMoved = z.object(artifact);

/** The schema of each type, for its list of known fields. */
export const schemas = {
  "ml.run.start": runStart,
  "ml.run.stop": runStop,
  "ml.run.metric": runMetric,
  "ml.trial.start": trialStart,
  "ml.trial.complete": trialComplete,
  "ml.trial.failed": trialFailed,
  "ml.trial.skipped": trialSkipped,
  "ml.trial.cancelled": trialSkipped,
  "ml.artifact.created": artifactCreated,
  "ml.artifact.promoted": artifactMoved,
  "ml.artifact.archived": artifactMoved,
} satisfies Record<EventType, z.ZodObject>;
