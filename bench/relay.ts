import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { freePort } from "../scripts/lib/mlflow-server.ts";
import type { Entry } from "../scripts/lib/relay-config.ts";
import { type RelayProcess, startRelay } from "../scripts/lib/relay-process.ts";

const trialList = z.object({ trials: z.array(z.unknown()) });
const readiness = z.object({ queue: z.object({ backlog: z.number().nullable() }) });

/** Of an admin. */
export const TOKEN = "bench-token-of-more-than-16-characters";
const POLL_MS = 250;
/** Longer than the gather window, within which a message is on its way but in nobody's backlog. */
const SETTLE_MS = 3_000;

export type BenchRelay = RelayProcess & {
  /** Asks with the token, and reads the whole answer; throws unless it is of a status below 300. */
  ask(path: string, init?: RequestInit): Promise<string>;
  /** Sends events and expects them to be taken. */
  post(events: object | object[], headers?: Record<string, string>): Promise<void>;
  /** Resolves when every trial of the model run is in MLflow. */
  delivered(modelRunId: string, trials: number): Promise<void>;
  /** Resolves when the queue is empty. */
  settled(): Promise<void>;
};

/**
 * The real build in its own process, with its state in `stateDir`.
 * @param entry another entry of the Worker than wrangler.toml's
 */
export async function benchRelay(
  stateDir: string,
  vars: Record<string, string>,
  entry: Partial<Entry> = {},
): Promise<BenchRelay> {
  const relay = await startRelay({
    port: await freePort(),
    stateDir,
    vars: { ADMIN_TOKEN: TOKEN, ...vars },
    entry,
  });
  async function ask(path: string, init: RequestInit = {}): Promise<string> {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${TOKEN}`);
    headers.set("content-type", "application/json");
    const answer = await fetch(`${relay.url}${path}`, { ...init, headers });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`the relay answered ${path} with ${answer.status}: ${text}`);
    return text;
  }
  return {
    ...relay,
    ask,
    async post(events, headers = {}) {
      await ask("/api/events/ml", { method: "POST", headers, body: JSON.stringify(events) });
    },
    async delivered(modelRunId, trials) {
      for (;;) {
        const query = new URLSearchParams({ model_run_id: modelRunId, sync_state: "synced", limit: "500" });
        const body = trialList.parse(JSON.parse(await ask(`/api/trials?${query}`)));
        if (body.trials.length >= trials) return;
        await sleep(POLL_MS);
      }
    },
    async settled() {
      for (;;) {
        await sleep(SETTLE_MS);
        const body = readiness.parse(JSON.parse(await ask("/ready")));
        if (body.queue.backlog === 0) return;
      }
    },
  };
}

export const TRIAL_PARAMETERS = { learning_rate: 0.001, batch_size: 32 };

/** A trial's start, its points as single-metric events, and its end. */
export function trialEvents(modelRunId: string, trialId: string, keys: number, steps: number) {
  const common = { model_run_id: modelRunId, trial_id: trialId };
  const start = Date.now() - keys * steps;
  return [
    {
      event: "ml.trial.start",
      ...common,
      spectral_norm: false,
      parameters: TRIAL_PARAMETERS,
    },
    ...Array.from({ length: keys * steps }, (_, i) => ({
      event: "ml.run.metric",
      ...common,
      metric_name: `metric_${i % keys}`,
      metric_value: 1 / (i + 1),
      step: Math.floor(i / keys),
      occurred_at: start + i,
    })),
    { event: "ml.trial.complete", ...common, spectral_norm: false, metrics: {} },
  ];
}
