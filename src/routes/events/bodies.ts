import * as z from "zod";
import { MAX_REQUEST_EVENTS } from "../../domain/limits.ts";
import { schemas } from "../../domain/schemas.ts";
import { EVENT_TYPES, type EventType } from "../../domain/types.ts";

/** The events' bodies: the schemas that the relay itself checks them by, with words for people. */

const NAMES: Record<EventType, string> = {
  "ml.run.start": "RunStart",
  "ml.run.stop": "RunStop",
  "ml.run.metric": "RunMetric",
  "ml.trial.start": "TrialStart",
  "ml.trial.complete": "TrialComplete",
  "ml.trial.failed": "TrialFailed",
  "ml.trial.skipped": "TrialSkipped",
  "ml.trial.cancelled": "TrialCancelled",
  "ml.artifact.created": "ArtifactCreated",
  "ml.artifact.promoted": "ArtifactPromoted",
  "ml.artifact.archived": "ArtifactArchived",
};

const SAYS: Record<EventType, string> = {
  "ml.run.start": "A model run (a search, a study) begins.",
  "ml.run.stop": "A model run has ended.",
  "ml.run.metric":
    "Metric points of a trial: one by `metric_name` and `metric_value`, or several in `metrics`, or both.",
  "ml.trial.start": "A trial begins, or with `resume` goes on after it had ended.",
  "ml.trial.complete": "A trial has succeeded.",
  "ml.trial.failed": "A trial has failed.",
  "ml.trial.skipped": "A trial was skipped.",
  "ml.trial.cancelled": "A trial was cancelled.",
  "ml.artifact.created": "A trial has made a model.",
  "ml.artifact.promoted":
    "A trial's model was promoted. It is named by its `checksum`, or by its `uri` if it was made without one.",
  "ml.artifact.archived": "A trial's model was archived. It is named as for promoting it.",
};

/** Every field of an event. */
const FIELDS: Record<string, string> = {
  event: "The type of the event.",
  event_id: "Makes sending again safe: unique within the trial or model run.",
  occurred_at:
    "ISO 8601 with a zone, or epoch milliseconds, from 2000 to a day from now. Without it, the time of acceptance.",
  correlation_id: "Comes back in the answer. Without it the relay makes one.",
  actor: "Who reports; `id` becomes mlflow.user.",
  metadata: "Anything further. In MLflow the tags `metadata.<key>`, except on metrics.",
  description: "What MLflow shows as the run's description: its tag `mlflow.note.content`.",
  tags: "Tags by name, as they are: text, numbers, true or false. Of MLflow's own only mlflow.user, mlflow.source.…, mlflow.project.… and mlflow.note.content, of the relay's own none.",
  model_run_id: "The trainer's own id of the model run.",
  trial_id: "The trainer's own id of the trial, unique within its model run.",
  requested_trials: "How many trials are planned.",
  search_space_version: "The version of the search space.",
  max_params: "The greatest number of parameters a model may have.",
  experiment_name: "The MLflow experiment. Without it the model run's, else the configured default.",
  run_name: "The name of the run in MLflow.",
  state: "How the model run ended.",
  completed_trials: "How many trials were completed.",
  best_metric: "The best value that was found.",
  best_trial_id: "The trainer's id of the trial that it was found in.",
  error_message: "What went wrong.",
  metric_name: "The metric's name.",
  metric_value: "Its value. NaN and infinities may also be bare, as Python writes them.",
  metrics: "Numbers by name; nested objects are flattened with dots.",
  step: "The step of the points. Without it 0 for ml.run.metric, and for an ended trial its highest.",
  spectral_norm: "Whether spectral normalisation is on.",
  mlflow_run_id: "An MLflow run to adopt instead of making one.",
  parameters:
    "Hyper-parameters by name; nested objects are flattened with dots. In MLflow the text that its own client would log: True, None, [1, 2], numbers as they were sent. The first value stands.",
  candidate_id: "The candidate that is tried.",
  resume: "The trial goes on although it had ended.",
  duration_ms: "How long the trial took.",
  pulse_id: "The pulse that the trial belongs to.",
  artifact_uri: "Where the trial's artifacts are.",
  rank: "The trial's rank in its model run.",
  warnings: "What the trainer warns of.",
  bridge_payload: "Kept in the journal, sent nowhere.",
  error_type: "The class of the error.",
  stacktrace: "Where it went wrong.",
  uri: "Where the model is.",
  checksum: "Of the model's bytes, in hex, by which it is known; without it, by its `uri`.",
  semver: "The model's version; 0.1.0 where nobody says.",
  bytes: "How large the model is.",
  spec_id: "The specification that the model was made by.",
};

/** A metric event names its points in one of two ways, or in both. */
const ONE_OF_TWO_WAYS = { anyOf: [{ required: ["metric_name", "metric_value"] }, { required: ["metrics"] }] };

function bodyOf(type: EventType) {
  const rule = type === "ml.run.metric" ? ONE_OF_TWO_WAYS : {};
  const fields = Object.entries({ ...schemas[type].shape, event: z.literal(type) }).map(
    ([name, schema]): [string, z.ZodType] => [name, schema.describe(FIELDS[name] ?? "")],
  );
  return z.object(Object.fromEntries(fields)).meta({ id: NAMES[type], description: SAYS[type], ...rule });
}

const event = z.union(EVENT_TYPES.map(bodyOf)).meta({
  id: "Event",
  description:
    "One event, by its `event`. A null counts as absent. Where a field that is not required, or a leaf of metrics, parameters, tags or metadata, holds something else than is said here, it is taken in the right form, cut or left out with a warning, and so is an unknown field.",
});

const eventList = z.array(event).min(1).max(MAX_REQUEST_EVENTS).meta({
  id: "EventList",
  description: "Several events; each gets a result of its own.",
});

export const eventRequest = z.union([event, eventList]).meta({ id: "EventRequest" });
