import type { Event } from "../lib/relay.ts";

/** A study for pages to show: ends, parameters and metrics that differ, and names that mean no good. */

export const STUDY = "moons";
export const HOSTILE = "<img src=x onerror=alert(1)>\u202e\"'=cmd|calc";
export const LONG_KEY = `key ${"k".repeat(200)}`;
export const LONG_CHARS = 5_000;

export function studyOf(modelRunId: string, trials: number): Event[] {
  const begun = Date.UTC(2026, 0, 1);
  return [
    { event: "ml.run.start", model_run_id: modelRunId, requested_trials: trials, search_space_version: 1 },
    ...Array.from({ length: trials }, (_, i) => trialOf(modelRunId, i, begun + i * 60_000)).flat(),
  ];
}

function trialOf(model_run_id: string, i: number, at: number): Event[] {
  const whose = { model_run_id, trial_id: `trial-${i}`, spectral_norm: i % 2 === 0 };
  return [
    {
      event: "ml.trial.start",
      ...whose,
      occurred_at: at,
      parameters: {
        lr: 10 ** -(i % 4),
        units: 16 * (i + 1),
        optimizer: i % 3 ? "adam" : "sgd",
        same: "same",
      },
    },
    {
      event: "ml.run.metric",
      model_run_id,
      trial_id: whose.trial_id,
      step: 1,
      occurred_at: at + 1,
      metrics: { loss: 1 / (i + 1) },
    },
    {
      event: "ml.run.metric",
      model_run_id,
      trial_id: whose.trial_id,
      step: 2,
      occurred_at: at + 2,
      metrics: { loss: 2 / (i + 1) },
    },
    {
      event: "ml.trial.complete",
      ...whose,
      occurred_at: at + 30_000,
      duration_ms: 30_000 + i,
      metrics: { accuracy: i / trials(i) },
    },
  ];
}

const trials = (i: number) => i + 2;

/** Whatever a trainer may name, named as somebody would who means no good. */
export function hostileTrial(model_run_id: string): Event[] {
  return [
    {
      event: "ml.trial.start",
      model_run_id,
      trial_id: HOSTILE,
      run_name: HOSTILE,
      spectral_norm: true,
      parameters: {
        [LONG_KEY]: "x".repeat(LONG_CHARS),
        markup: HOSTILE,
        formula: '=HYPERLINK("http://evil")',
      },
      metadata: {},
    },
    { event: "ml.run.metric", model_run_id, trial_id: HOSTILE, step: 1, metrics: { loss: "NaN" } },
  ];
}
