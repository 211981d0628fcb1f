/** The study that all examples tell of. Posted whole, every other example finds what it asks for. */

export const STUDY = "study-1";
export const TRIAL = "t1";
/** The public id of that trial: the relay derives it from the trainer's two ids. */
export const TRIAL_KEY = "9a84823e448e8ab1a956e60ac5c2dda4";
export const METRIC = "val.loss";
export const MLFLOW_RUN = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
export const MLFLOW_EXPERIMENT = "1";
export const JOB = "019a4a5e-9d11-7b02-8e44-6b1c2d3e4f50";
export const ARTIFACT = "model/weights.bin";
export const UPLOAD = "019a4a5e-7a10-7c3e-9b51-2f6d0a3e4b11";
export const TOKEN = "019a4a5e-6f0e-7d3c-9c55-0d2f1f6f3a11";

const trial = { model_run_id: STUDY, trial_id: TRIAL };

export const runStart = {
  event: "ml.run.start",
  model_run_id: STUDY,
  requested_trials: 20,
  search_space_version: 1,
  experiment_name: "two-moons",
};

export const trialStart = {
  event: "ml.trial.start",
  ...trial,
  spectral_norm: true,
  parameters: { lr: 0.001, optimizer: { name: "adam" } },
};

export const metricPoints = {
  event: "ml.run.metric",
  ...trial,
  step: 1,
  metrics: { loss: 0.42, val: { loss: 0.5 } },
  occurred_at: "2026-11-03T09:30:00Z",
};

export const trialComplete = {
  event: "ml.trial.complete",
  ...trial,
  spectral_norm: true,
  metrics: { accuracy: 0.9 },
  duration_ms: 61_000,
};

const end = { model_run_id: STUDY, error_message: "loss is NaN" };

export const trialFailed = { event: "ml.trial.failed", trial_id: "t2", error_type: "ValueError", ...end };

export const trialSkipped = { event: "ml.trial.skipped", model_run_id: STUDY, trial_id: "t3" };

export const trialCancelled = { event: "ml.trial.cancelled", model_run_id: STUDY, trial_id: "t4" };

export const runStop = {
  event: "ml.run.stop",
  model_run_id: STUDY,
  state: "completed",
  completed_trials: 1,
  best_metric: 0.9,
  best_trial_id: TRIAL,
};

export const wholeStudy = [
  runStart,
  trialStart,
  metricPoints,
  trialComplete,
  trialFailed,
  trialSkipped,
  trialCancelled,
  runStop,
];

/** The parts of a path that many addresses have. */
export const trialId = { id: { description: "The trial's public id.", example: TRIAL_KEY } };
export const modelRunId = { id: { description: "The trainer's id of the model run.", example: STUDY } };
export const runId = { id: { description: "MLflow's id of the run.", example: MLFLOW_RUN } };
export const metricKey = {
  key: { description: "The metric's name; slashes in it need no escape.", example: METRIC },
};

/** A file that was kept a moment ago. */
export const KEPT_FILE = {
  path: ARTIFACT,
  is_dir: false,
  bytes: 4096,
  sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
  content_type: "application/octet-stream",
  version: 1,
  state: "waiting",
  error: null,
  updated_at: "2026-11-03T09:30:00.000Z",
  delivered_at: null,
};
