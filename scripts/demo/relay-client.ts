import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";

const ATTEMPTS = 6;
const LIMIT_MS = 10_000;

export type Event = { event: string; event_id: string; occurred_at: string } & Record<string, unknown>;

const Trial = z.object({
  trial_id: z.string(),
  sync_state: z.string(),
  mlflow_run_id: z.string().nullable(),
  mlflow_experiment_id: z.string().nullable(),
});
const Trials = z.object({ trials: z.array(Trial) });
export type RelayTrial = z.infer<typeof Trial>;

const Ready = z.object({ mlflow: z.object({ tracking_uri: z.string() }) });

/** The relay as a trainer sees it. */
export class RelayClient {
  readonly url: string;
  readonly token: string;
  /** How long each answer to `send` took. */
  readonly answerTimesMs: number[] = [];

  constructor(url: string, token: string) {
    this.url = url.replace(/\/+$/, "");
    this.token = token;
  }

  /** Posts a batch of events; on a lost or refused request, the same batch again: their ids make that harmless. */
  async send(events: Event[]): Promise<void> {
    let problem = "";
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      await sleep(attempt === 0 ? 0 : 250 * 2 ** attempt);
      const started = performance.now();
      try {
        const response = await this.#request("/api/events/ml", {
          method: "POST",
          body: JSON.stringify(events),
        });
        const body = await response.text();
        this.answerTimesMs.push(performance.now() - started);
        if (response.status === 202) return;
        problem = `${response.status}: ${body.slice(0, 500)}`;
        if (response.status < 500 && response.status !== 429) break;
      } catch (error) {
        problem = String(error);
      }
    }
    throw new Error(`The relay did not accept the events: ${problem}`);
  }

  async trials(modelRunId: string): Promise<RelayTrial[]> {
    const path = `/api/trials?${new URLSearchParams({ model_run_id: modelRunId })}`;
    return Trials.parse(await this.#json(path)).trials;
  }

  /** @param id the relay's: of what an MLflow client logged, its run's id */
  async trial(id: string): Promise<RelayTrial> {
    return Trial.parse(await this.#json(`/api/trials/${id}`));
  }

  async mlflowUri(): Promise<string> {
    // 503 while MLflow is away, with the same body.
    const response = await this.#request("/ready");
    return Ready.parse(await response.json()).mlflow.tracking_uri.replace(/\/+$/, "");
  }

  async #json(path: string): Promise<unknown> {
    const response = await this.#request(path);
    if (!response.ok)
      throw new Error(`GET ${path}: ${response.status} ${(await response.text()).slice(0, 500)}`);
    return response.json();
  }

  #request(path: string, init: { method?: string; body?: string } = {}): Promise<Response> {
    const headers = { authorization: `Bearer ${this.token}`, "content-type": "application/json" };
    return fetch(this.url + path, { ...init, headers, signal: AbortSignal.timeout(LIMIT_MS) });
  }
}
