/** The events as trainers send them: one of each of the original's types, and short ones to vary. */

const RUN = "0199c1f2-7a10-7c3e-9b51-2f6d0a3e4b11";

export const runStart = {
  event: "ml.run.start",
  model_run_id: RUN,
  requested_trials: 40,
  search_space_version: 2,
  max_params: 2_000_000,
  metadata: { experiment: "spectral_norm_ablation", sampler: "TPESampler", direction: "minimize" },
};
export const trialStart = {
  event: "ml.trial.start",
  model_run_id: RUN,
  trial_id: "trial_007",
  spectral_norm: true,
  mlflow_run_id: "4b8f0c2d9e7a4f16b3d5c1a87e6f9023",
  candidate_id: "optuna_candidate_5",
  parameters: { SAMPLES_TO_CREATE: 230, activation: "swish", learning_rate: 0.000734, PROJECTION_N: 1 },
};
export const runMetric = {
  event: "ml.run.metric",
  model_run_id: RUN,
  trial_id: "trial_007",
  metric_name: "val_perplexity",
  metric_value: 123359.0,
  step: 1,
  spectral_norm: true,
  metadata: { learning_rate: 0.000734 },
};
export const trialComplete = {
  event: "ml.trial.complete",
  model_run_id: RUN,
  trial_id: "trial_007",
  spectral_norm: true,
  mlflow_run_id: "4b8f0c2d9e7a4f16b3d5c1a87e6f9023",
  metrics: { loss: 2.0639, perplexity: 7.876600742340088 },
  parameters: { learning_rate: 0.000734, epochs: 41, activation: "swish" },
  artifact_uri: "s3://thunderline-models/run_123/trial_007",
  duration_ms: 243600,
  rank: 3,
  warnings: [],
  candidate_id: "optuna_candidate_5",
  pulse_id: null,
};
export const trialFailed = {
  event: "ml.trial.failed",
  model_run_id: RUN,
  trial_id: "trial_013",
  error_message: "CUDA out of memory",
  error_type: "OOM",
  spectral_norm: false,
  metadata: { allocated_memory_gb: 14.5 },
};
export const runStop = {
  event: "ml.run.stop",
  model_run_id: RUN,
  state: "completed",
  completed_trials: 39,
  best_metric: 7.876600742340088,
  best_trial_id: "trial_007",
  metadata: { total_duration_ms: 9504000, spectral_norm_trials: 20, unconstrained_trials: 19 },
};

export const start = (trial_id: string, more: object = {}) => ({
  event: "ml.trial.start",
  model_run_id: "m",
  trial_id,
  spectral_norm: true,
  ...more,
});
export const metric = (trial_id: string, more: object = {}) => ({
  event: "ml.run.metric",
  model_run_id: "m",
  trial_id,
  ...more,
});
