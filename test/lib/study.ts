import { point } from "./mlflow-read.ts";
import type { Event } from "./relay.ts";

/** What MLflow must show of a trial. */
export type Expected = {
  status: string;
  startTime: number;
  endTime: number;
  params: Record<string, string>;
  tags: Record<string, string>;
  points: string[];
};

export type Study = { events: Event[]; trials: Map<string, Expected>; startTime: number; endTime: number };

const METRICS = ["train.loss", "train.accuracy", "val.loss", "val.accuracy", "lr", "grad/norm"];
const ENDS = [
  { event: "ml.trial.complete", status: "FINISHED" },
  { event: "ml.trial.failed", status: "FAILED" },
  { event: "ml.trial.skipped", status: "KILLED", tag: "skipped" },
  { event: "ml.trial.complete", status: "FINISHED" },
  { event: "ml.trial.cancelled", status: "KILLED", tag: "cancelled" },
] as const;
/** Long ago, so that no time can be mistaken for that of acceptance or delivery. */
const START = Date.UTC(2024, 1, 29, 12, 0, 0, 123);
const EPOCH_MS = 1_500;
const TRIAL_MS = 400;

/**
 * A study as a trainer reports it, in order of time, its trials side by side; and what it must become. Losses
 * include NaN and infinities, and numbers that a careless conversion would change.
 */
export function makeStudy(modelRunId: string, size: { trials: number; epochs: number }): Study {
  const timed: { at: number; event: Event }[] = [];
  const add = (at: number, body: { event: string } & Record<string, unknown>) => {
    const occurred_at = timed.length % 2 === 0 ? at : new Date(at).toISOString();
    timed.push({
      at,
      event: { model_run_id: modelRunId, event_id: `e${timed.length}`, occurred_at, ...body },
    });
  };
  const trials = new Map<string, Expected>();
  for (let t = 0; t < size.trials; t++) {
    const trial_id = `trial-${t}`;
    const end = ENDS[t % ENDS.length] ?? ENDS[0];
    const startTime = START + t * TRIAL_MS;
    const spectral_norm = t % 2 === 0;
    const points: string[] = [];
    add(startTime, {
      event: "ml.trial.start",
      trial_id,
      spectral_norm,
      parameters: {
        lr: 1e-7 * (t + 1),
        optimizer: { name: "adam", betas: [0.9, 0.999], nesterov: false },
        seed: t,
      },
    });
    for (let step = 0; step < size.epochs; step++) {
      const at = startTime + (step + 1) * EPOCH_MS;
      const values = METRICS.map((key, m) => ({ key, value: valueAt(t, step, m) }));
      points.push(...values.map(({ key, value }) => point(key, step, at, value)));
      add(at, {
        event: "ml.run.metric",
        trial_id,
        step,
        metrics: nested(values.map(({ key, value }) => [key, wire(value)])),
      });
    }
    const endTime = startTime + (size.epochs + 1) * EPOCH_MS;
    // Without a step, so it stands at the trial's highest.
    points.push(point("final", size.epochs - 1, endTime, t / 7));
    add(endTime, {
      event: end.event,
      trial_id,
      spectral_norm,
      metrics: { final: t / 7 },
      ...(end.event === "ml.trial.failed" ? { error_message: "out of memory" } : {}),
    });
    trials.set(trial_id, {
      status: end.status,
      startTime,
      endTime,
      params: {
        lr: String(1e-7 * (t + 1)),
        "optimizer.name": "adam",
        "optimizer.betas": "[0.9, 0.999]",
        "optimizer.nesterov": "False",
        seed: String(t),
      },
      tags: {
        thunderline_trial_id: trial_id,
        thunderline_model_run_id: modelRunId,
        spectral_norm: String(spectral_norm),
        "mlflow.runName": trial_id,
        ...("tag" in end ? { thunderline_status: end.tag } : {}),
      },
      points: points.sort(),
    });
  }
  const startTime = START - 1_000;
  const endTime = START + 3_600_000;
  const first: Event = {
    event: "ml.run.start",
    model_run_id: modelRunId,
    event_id: "start",
    occurred_at: startTime,
    requested_trials: size.trials,
    search_space_version: 3,
    experiment_name: modelRunId,
    run_name: "The search",
  };
  const last: Event = {
    event: "ml.run.stop",
    model_run_id: modelRunId,
    event_id: "stop",
    occurred_at: endTime,
    state: "completed",
    completed_trials: size.trials,
    best_metric: 0.987,
    best_trial_id: "trial-3",
  };
  const events = [first, ...timed.sort((a, b) => a.at - b.at).map(({ event }) => event), last];
  return { events, trials, startTime, endTime };
}

/** Ordinary values, and among them those that break naive software. */
function valueAt(trial: number, step: number, metric: number): number {
  const special = [Number.NaN, Infinity, -Infinity, 5e-324, 1.7976931348623157e308, 0.1 + 0.2, 1e18, -0];
  const n = trial * 1_000 + step * 10 + metric;
  return n % 37 === 0 ? (special[(n / 37) % special.length] ?? 0) : Math.sin(n) * 10 ** (metric - 3);
}

function wire(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

/** Keys with dots become nested objects, which the relay has to flatten again. */
function nested(entries: [string, number | string][]): Record<string, unknown> {
  const groups = Map.groupBy(entries, ([key]) => (key.includes(".") ? (key.split(".")[0] ?? "") : ""));
  return Object.fromEntries(
    [...groups].flatMap(([group, members]): [string, unknown][] =>
      group === ""
        ? members
        : [[group, Object.fromEntries(members.map(([key, value]) => [key.slice(group.length + 1), value]))]],
    ),
  );
}

/** Items in groups of at most `size`. */
export function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  );
}
