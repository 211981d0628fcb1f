import { randomUUID } from "node:crypto";
import { Mlp } from "./mlp.ts";
import type { Sample } from "./moons.ts";
import { seeded, shuffled } from "./random.ts";
import type { Event, RelayClient } from "./relay-client.ts";
import { EPOCHS, type Trial } from "./search.ts";

/** One metric value as it was reported; MLflow has to end up with exactly these. */
export type Point = { key: string; step: number; timestamp: number; value: number };
export type TrialOutcome = { trial: Trial; points: Point[]; valAccuracy: number; diverged: boolean };

type Data = { training: Sample[]; validation: Sample[] };

/** Trains one model and reports it to the relay as it goes, one request an epoch. */
export async function runTrial(
  relay: RelayClient,
  modelRunId: string,
  trial: Trial,
  data: Data,
): Promise<TrialOutcome> {
  const { parameters } = trial;
  const names = { model_run_id: modelRunId, trial_id: trial.id, spectral_norm: parameters.spectral_norm };
  const random = seeded(parameters.seed);
  const model = new Mlp(parameters.hidden_units, random);
  const points: Point[] = [];
  const started = Date.now();
  let valAccuracy = 0;

  await relay.send([{ ...newEvent("ml.trial.start"), ...names, run_name: trial.id, parameters }]);
  for (let epoch = 1; epoch <= EPOCHS; epoch++) {
    trainEpoch(model, shuffled(random, data.training), parameters);
    const train = model.score(data.training);
    const validation = model.score(data.validation);
    const metrics = {
      loss: train.loss,
      accuracy: train.accuracy,
      val_loss: validation.loss,
      val_accuracy: validation.accuracy,
    };
    await report("ml.run.metric", epoch, metrics, {});
    if (!Number.isFinite(train.loss)) {
      const failure = {
        error_type: "nan_loss",
        error_message: `loss is ${train.loss} after epoch ${epoch}`,
        duration_ms: Date.now() - started,
      };
      await relay.send([{ ...newEvent("ml.trial.failed"), ...names, ...failure }]);
      return { trial, points, valAccuracy: 0, diverged: true };
    }
    valAccuracy = Math.max(valAccuracy, validation.accuracy);
  }
  await report(
    "ml.trial.complete",
    EPOCHS,
    { best_val_accuracy: valAccuracy },
    { duration_ms: Date.now() - started },
  );
  return { trial, points, valAccuracy, diverged: false };

  async function report(
    name: string,
    step: number,
    metrics: Record<string, number>,
    more: Record<string, unknown>,
  ) {
    const event = newEvent(name);
    const wire = Object.fromEntries(Object.entries(metrics).map(([key, value]) => [key, toJson(value)]));
    await relay.send([{ ...event, ...names, step, metrics: wire, ...more }]);
    const timestamp = Date.parse(event.occurred_at);
    for (const [key, value] of Object.entries(metrics)) points.push({ key, step, timestamp, value });
  }
}

/** The fields that every event should carry: an id of its own, and when it happened. */
export function newEvent(event: string): Event {
  return { event, event_id: randomUUID(), occurred_at: new Date().toISOString() };
}

function trainEpoch(model: Mlp, samples: Sample[], parameters: Trial["parameters"]): void {
  const { batch_size, learning_rate: rate, weight_decay: decay, spectral_norm: spectralNorm } = parameters;
  for (let from = 0; from < samples.length; from += batch_size) {
    model.train(samples.slice(from, from + batch_size), { rate, decay, spectralNorm });
  }
}

// JSON has no NaN and no infinities; the relay takes their names.
function toJson(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}
