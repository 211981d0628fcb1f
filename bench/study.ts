/** The events of a small study, as a trainer would send them. */
export function study(name: string) {
  const of = (trial: string) => ({ model_run_id: name, trial_id: trial });
  const began = Date.now();
  return {
    name,
    announcement: {
      event: "ml.run.start",
      model_run_id: name,
      requested_trials: 10,
      search_space_version: 1,
    },
    start: (trial: string) => ({
      event: "ml.trial.start",
      ...of(trial),
      spectral_norm: false,
      parameters: { learning_rate: 0.001, batch_size: 32 },
    }),
    /** Events of one metric each, from a step on. */
    metrics: (trial: string, from: number, count: number) =>
      Array.from({ length: count }, (_, i) => ({
        event: "ml.run.metric",
        ...of(trial),
        metric_name: "loss",
        metric_value: 1 / (from + i + 1),
        step: from + i,
        occurred_at: began + from + i,
      })),
    /** Events of so many metrics each, from a step on. */
    steps: (trial: string, from: number, count: number, keys: number) =>
      Array.from({ length: count }, (_, i) => ({
        event: "ml.run.metric",
        ...of(trial),
        metrics: Object.fromEntries(
          Array.from({ length: keys }, (_, k) => [`metric_${k}`, (k + 1) / (from + i + 1)]),
        ),
        step: from + i,
        occurred_at: began + from + i,
      })),
    complete: (trial: string) => ({
      event: "ml.trial.complete",
      ...of(trial),
      spectral_norm: false,
      metrics: { accuracy: 0.9 },
    }),
    stop: {
      event: "ml.run.stop",
      model_run_id: name,
      state: "completed",
      completed_trials: 10,
      best_metric: 0.9,
    },
  };
}
export type Study = ReturnType<typeof study>;
