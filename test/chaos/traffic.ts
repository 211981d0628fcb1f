import * as z from "zod";
import { type Random, seeded } from "../../scripts/demo/random.ts";
import { point } from "../lib/mlflow-read.ts";
import type { Event } from "../lib/relay.ts";

type Status = "FINISHED" | "FAILED" | "KILLED";

/** One event and what it must become in MLflow, each item unlike any other of the round. */
export type Report = {
  event: Event;
  trialId: string;
  at: number;
  items: string[];
  /** MLflow's status, of an event that ends its trial. */
  ends: Status | null;
  /** Stands until a later event's. */
  note: string | null;
};

/** What two trainers' clients send: `deliveries[client]` is a list of requests, each some reports by index. */
export type Traffic = { announcement: Event; reports: Report[]; deliveries: [number[][], number[][]] };

/** MLflow is made to refuse every batch with such a key in it. */
export const POISON = "poison_";
const KEYS = ["loss", "accuracy", "val/f1"];
const ENDS = new Map<string, Status>([
  ["ml.trial.complete", "FINISHED"],
  ["ml.trial.failed", "FAILED"],
  ["ml.trial.cancelled", "KILLED"],
]);
/** What one kind of end or another cannot be without. */
const END_FIELDS = { spectral_norm: false, error_message: "none to speak of" };
const START = Date.UTC(2024, 3, 1);
const HOUR_MS = 3_600_000;
const MAX_REQUEST = 20;
/** How far an event may be carried from its place in time. */
const DISORDER = 40;

export function paramItem(key: string, value: string): string {
  return `param ${key} = ${value}`;
}

/** The same for the same seed, but for the model run's id. */
export function makeTraffic(
  seed: number,
  modelRunId: string,
  size: { trials: number; steps: number },
): Traffic {
  const random = seeded(seed);
  const reports: Report[] = [];
  let clock = START;
  let identity = 0;
  const add = (trialId: string, event: string, items: (at: number) => string[], fields: object) => {
    clock += Math.floor(random() * 1_000);
    if (random() < 0.05) clock -= HOUR_MS; // a trainer's clock that was set right
    // Without an id, an event is known by its content.
    const id = random() < 0.5 ? { event_id: `e${reports.length}` } : {};
    const note = event === "ml.run.metric" ? null : String(++identity);
    const metadata = note === null ? {} : { metadata: { note } };
    const body = { model_run_id: modelRunId, trial_id: trialId, occurred_at: clock, ...id, ...metadata };
    reports.push({
      event: { event, ...body, ...fields },
      trialId,
      at: clock,
      items: items(clock),
      ends: ENDS.get(event) ?? null,
      note,
    });
  };
  const trials = Array.from({ length: size.trials }, (_, t) => `t${t}`);
  for (const trial of trials) {
    const parameters = { seed: String(++identity), [`${POISON}param`]: String(++identity) };
    const items = Object.entries(parameters).map(([key, value]) => paramItem(key, value));
    add(trial, "ml.trial.start", () => items, { spectral_norm: false, parameters });
  }
  const metrics = (trial: string, event: string, step: number, keys: string[], fields: object = {}) => {
    const values = keys.map((key): [string, number] => [key, ++identity]);
    const points = (at: number) => values.map(([key, value]) => point(key, step, at, value));
    add(trial, event, points, { step, metrics: Object.fromEntries(values), ...fields });
  };
  for (let step = 0; step < size.steps; step++)
    for (const trial of trials) {
      const poison = random() < 0.03 ? [`${POISON}${step}`] : [];
      metrics(trial, "ml.run.metric", step, [...KEYS.filter(() => random() < 0.8), ...poison]);
    }
  const kinds = [...ENDS.keys()];
  for (const [t, trial] of trials.entries().drop(1))
    metrics(trial, kinds[t % kinds.length] ?? "", size.steps, ["final"], END_FIELDS);
  return {
    announcement: announcement(modelRunId, size.trials),
    reports: reports.filter(({ items }) => items.length > 0),
    deliveries: deal(random, reports.filter(({ items }) => items.length > 0).length),
  };
}

const logged = z.object({
  occurred_at: z.number(),
  step: z.number().optional(),
  metrics: z.record(z.string(), z.number()).default({}),
  parameters: z.record(z.string(), z.string()).default({}),
});

/** A report in the words of MLflow's client. */
export function asCall({ event, trialId, ends }: Report, index: number) {
  const { occurred_at: timestamp, step, metrics, parameters: params } = logged.parse(event);
  return { index, trialId, step, timestamp, metrics, params, ends };
}

function announcement(modelRunId: string, trials: number): Event {
  return {
    event: "ml.run.start",
    model_run_id: modelRunId,
    occurred_at: START,
    requested_trials: trials,
    search_space_version: 1,
    experiment_name: modelRunId,
  };
}

/** Deals reports out to two clients: some to both, some twice, none quite in order, in requests of any size. */
function deal(random: Random, count: number): [number[][], number[][]] {
  const hands: [number[], number[]] = [[], []];
  for (let i = 0; i < count; i++) {
    const first = random() < 0.5 ? 0 : 1;
    hands[first].push(i);
    if (random() < 0.2) hands[1 - first]?.push(i);
    if (random() < 0.1) hands[first].push(i);
  }
  return [requests(random, disordered(random, hands[0])), requests(random, disordered(random, hands[1]))];
}

function disordered(random: Random, hand: number[]): number[] {
  const keyed = hand.map((report) => ({ report, key: report + random() * DISORDER }));
  return keyed.sort((a, b) => a.key - b.key).map(({ report }) => report);
}

function requests(random: Random, hand: number[]): number[][] {
  const cut: number[][] = [];
  for (let from = 0; from < hand.length; from += cut.at(-1)?.length ?? 0)
    cut.push(hand.slice(from, from + 1 + Math.floor(random() * MAX_REQUEST)));
  return cut;
}
