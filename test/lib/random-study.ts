import { pick, type Random, seeded } from "../../scripts/demo/random.ts";
import type { Event } from "./relay.ts";

const METRICS = ["loss", "accuracy", "val/f1", "lr"] as const;
const ENDS = ["ml.trial.complete", "ml.trial.failed", "ml.trial.skipped", "ml.trial.cancelled"] as const;
const START = Date.UTC(2023, 5, 1);

/**
 * A small study with everything that may come more than once in a trial's life: several ends, a resume, tags that
 * change, the same point in two events. No parameter conflicts, and every end carries a step, because a metric
 * without one stands, by design, at the highest step that its first delivery knew of.
 * @returns the events in order of time; the same for the same seed, but for the model run's id
 */
export function randomStudy(seed: number, modelRunId: string): Event[] {
  const random = seeded(seed);
  const events: Event[] = [];
  let clock = START;
  const add = (body: { event: string } & Record<string, unknown>) => {
    clock += Math.floor(random() * 5_000);
    // An event without an id but with a time of its own is known by its content.
    const id = random() < 0.5 ? { event_id: `${seed}-${events.length}` } : {};
    events.push({ model_run_id: modelRunId, ...id, occurred_at: clock, ...body });
  };
  add({
    event: "ml.run.start",
    requested_trials: 4,
    search_space_version: 1,
    experiment_name: modelRunId,
    metadata: { team: "vision" },
  });
  const trials = Array.from({ length: 4 }, (_, t) => ({ trial_id: `t${t}`, step: 0 }));
  for (const { trial_id } of trials)
    add({ event: "ml.trial.start", trial_id, spectral_norm: random() < 0.5, parameters: parameters(random) });
  for (let i = 0; i < 120; i++) {
    const trial = pick(random, [trials[0], ...trials.slice(1)]);
    if (trial) add(metricEvent(random, trial));
  }
  for (const { trial_id, step } of trials) {
    const end = () => ({
      event: pick(random, ENDS),
      trial_id,
      spectral_norm: random() < 0.5,
      error_message: "none to speak of",
      metrics: { final: random() },
      metadata: { host: pick(random, ["a", "b"]) },
      step,
    });
    add(end());
    if (random() < 0.5) {
      add({ event: "ml.trial.start", trial_id, spectral_norm: true, resume: true });
      add(end());
    }
  }
  add({ event: "ml.run.stop", state: "completed", completed_trials: 4, best_metric: random() });
  return events;
}

function metricEvent(random: Random, trial: { trial_id: string; step: number }) {
  if (random() < 0.7) trial.step++;
  const values = METRICS.filter(() => random() < 0.6).map((key) => [key, value(random)]);
  const metrics = values.length > 0 ? { metrics: Object.fromEntries(values) } : named(random);
  return { event: "ml.run.metric", trial_id: trial.trial_id, step: trial.step, ...metrics };
}

function named(random: Random) {
  return { metric_name: pick(random, METRICS), metric_value: value(random) };
}

function value(random: Random): number | string {
  return random() < 0.1 ? pick(random, ["NaN", "Infinity", "-Infinity"]) : Math.round(random() * 50) / 10;
}

function parameters(random: Random) {
  return { lr: random(), layers: [16, Math.floor(random() * 64)], head: { bias: random() < 0.5 } };
}
