import { point } from "./mlflow-read.ts";
import type { Event } from "./relay.ts";

/** When the model runs of `trialOf` start. */
export const AT = Date.UTC(2025, 0, 1);
export const MINUTE_MS = 60_000;

type Fields = Record<string, unknown>;

/** The events of one trial, which live in an experiment named like their model run. */
export function trialOf(modelRunId: string, trialId = "t") {
  const of = (event: string, minute: number, fields: Fields): Event => ({
    event,
    model_run_id: modelRunId,
    trial_id: trialId,
    occurred_at: AT + minute * MINUTE_MS,
    ...fields,
  });
  return {
    announce: (fields: Fields = {}): Event => ({
      event: "ml.run.start",
      model_run_id: modelRunId,
      occurred_at: AT,
      requested_trials: 1,
      search_space_version: 1,
      experiment_name: modelRunId,
      ...fields,
    }),
    stop: (fields: Fields = {}): Event => ({
      event: "ml.run.stop",
      model_run_id: modelRunId,
      occurred_at: AT + 95 * MINUTE_MS,
      state: "completed",
      completed_trials: 1,
      ...fields,
    }),
    start: (fields: Fields = {}) => of("ml.trial.start", 1, { spectral_norm: false, ...fields }),
    metric: (step: number, value: number, name = "loss") =>
      of("ml.run.metric", 2 + step, { metric_name: name, metric_value: value, step }),
    complete: (fields: Fields = {}) =>
      of("ml.trial.complete", 90, { spectral_norm: false, metrics: {}, ...fields }),
    cancel: (fields: Fields = {}) => of("ml.trial.cancelled", 80, fields),
  };
}

/** The point of `metric(step, value)`. */
export function lossAt(step: number, value: number): string {
  return point("loss", step, AT + (2 + step) * MINUTE_MS, value);
}
