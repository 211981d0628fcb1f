import { rm } from "node:fs/promises";
import { freePort } from "../../scripts/lib/mlflow-server.ts";
import type { Entry } from "../../scripts/lib/relay-config.ts";
import * as relays from "../../scripts/lib/relay-process.ts";
import { directly } from "./direct-relay.ts";
import { type Behind, RelayStore } from "./relay-store.ts";
import { until } from "./until.ts";

export type Event = { event: string; model_run_id: string } & Record<string, unknown>;
export type Answer = { status: number; headers: Headers; body: Record<string, unknown> };

/** A lease of one that was killed takes 70 seconds to end, and a busy machine is no failure. */
const DELIVERED_MS = 240_000;
export const ADMIN_TOKEN = "end-to-end-admin-token";
const JSON_TYPE = "application/json";
const NDJSON_TYPE = "application/x-ndjson";
const LOG_LINES = 25;

/**
 * Waits as short as the settings allow; nothing else differs from production. MLflow may take its time, as one that
 * many share on a busy machine does: who means it to be late says so.
 */
const QUICK = {
  ADMIN_TOKEN,
  MLFLOW_REQUEST_TIMEOUT: "15000",
  RELAY_GATHER_WINDOW_SECONDS: "1",
  RELAY_ANNOUNCE_GRACE_SECONDS: "2",
  RELAY_RETRY_BASE_MS: "200",
  RELAY_RETRY_MAX_MS: "1000",
  RELAY_BREAKER_PROBE_SECONDS: "1",
  RELAY_BREAKER_PROBE_MAX_SECONDS: "2",
};

/** What of the start of relays is done once, for those in `wrangler dev` and for those that run directly. */
export type Made = relays.Made & { direct: string };

/**
 * Another entry, or what of the start was done before. With that, and unless told, a relay runs without `wrangler dev`;
 * it then has what browsers load only where it is said.
 */
export type More = { entry?: Partial<Entry>; made?: Made; inWranglerDev?: boolean; withAssets?: boolean };

/** The real build in its own process, with its own D1, which outlives `kill` and `stop`. */
export class Relay {
  readonly store: RelayStore;
  /** Where it keeps its database. */
  readonly stateDir: string;
  /** Of an admin, for any scope. */
  readonly token = ADMIN_TOKEN;
  readonly #port: number;
  readonly #vars: Record<string, string>;
  readonly #more: More;
  #process: relays.RelayProcess;

  private constructor(
    process: relays.RelayProcess,
    port: number,
    stateDir: string,
    vars: Record<string, string>,
    more: More,
  ) {
    this.#process = process;
    this.#port = port;
    this.stateDir = stateDir;
    this.#vars = vars;
    this.#more = more;
    this.store = new RelayStore(stateDir);
  }

  static async start(
    stateDir: string,
    trackingUri: string,
    vars: Record<string, string> = {},
    more: More = {},
  ): Promise<Relay> {
    const port = await freePort();
    const all = { ...QUICK, MLFLOW_TRACKING_URI: trackingUri, ...vars };
    const process = await start({ port, stateDir, vars: all }, more);
    return new Relay(process, port, stateDir, all, more);
  }

  /** Starts it again after `kill` or `stop`, on the same database. */
  async restart(vars: Record<string, string> = {}): Promise<void> {
    const where = { port: this.#port, stateDir: this.stateDir, vars: { ...this.#vars, ...vars } };
    this.#process = await start(where, this.#more);
  }

  /** Where it listens, as a client is told. */
  get url(): string {
    return this.#process.url;
  }

  async kill(): Promise<void> {
    this.#process.kill();
    await this.#process.exited;
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }

  async destroy(): Promise<void> {
    await this.stop();
    this.store.close();
    await rm(this.stateDir, { recursive: true, force: true });
  }

  /** The cron's pass; throws if it did not run well. */
  async cron(): Promise<void> {
    const outcome = await this.#process.cron();
    if (outcome !== "ok") throw new Error(`the scheduled handler ended with ${outcome}\n${this.#log()}`);
  }

  /** Posts one event as an object, several as an array, and expects all of them to be taken. */
  async send(events: Event | readonly Event[]): Promise<Answer> {
    return accepted(await this.post(JSON.stringify(events)));
  }

  /** The same as NDJSON, with NaN and infinities as Python writes them: bare. */
  async sendLines(events: readonly Event[]): Promise<Answer> {
    const lines = events.map((event) =>
      JSON.stringify(event).replaceAll(/"(NaN|-?Infinity)"(?=[,}\]])/g, "$1"),
    );
    return accepted(await this.post(lines.join("\n"), NDJSON_TYPE));
  }

  async post(body: string, type = JSON_TYPE, path = "/api/events/ml"): Promise<Answer> {
    const response = await fetch(this.#process.url + path, {
      method: "POST",
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": type },
      body,
    });
    return answerOf(path, response);
  }

  async get(path: string): Promise<Answer> {
    const response = await fetch(this.#process.url + path, {
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
    });
    return answerOf(path, response);
  }

  /** Any request with the admin's token, and its answer as it comes. A body is JSON unless the headers say otherwise. */
  fetch(
    path: string,
    init: {
      method?: string;
      body?: string | Uint8Array<ArrayBuffer>;
      headers?: Record<string, string>;
      signal?: AbortSignal;
    } = {},
  ): Promise<Response> {
    const type = init.body === undefined ? {} : { "content-type": JSON_TYPE };
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, ...type, ...init.headers };
    return fetch(this.#process.url + path, { ...init, headers });
  }

  /** What an operator asks for. */
  ask(path: string, body: object = {}): Promise<Answer> {
    return this.post(JSON.stringify(body), JSON_TYPE, path);
  }

  /** Waits until MLflow has all that was acknowledged of this model run. */
  async delivered(modelRunId: string): Promise<void> {
    let behind: Behind[] = [];
    await until(
      `everything of ${modelRunId} is delivered`,
      () => {
        behind = this.store.behind(modelRunId);
        return behind.length === 0;
      },
      () => `${JSON.stringify(behind, null, 1)}\n${this.#log()}`,
      DELIVERED_MS,
    );
  }

  /** `until`, with the relay's log in the message. */
  until(what: string, done: () => boolean | Promise<boolean>): Promise<void> {
    return until(what, done, () => this.#log());
  }

  #log(): string {
    return this.#process.log().trimEnd().split("\n").slice(-LOG_LINES).join("\n");
  }
}

function start(
  where: relays.Where,
  { entry, made, inWranglerDev = false, withAssets = false }: More,
): Promise<relays.RelayProcess> {
  const direct = entry === undefined && !inWranglerDev ? made?.direct : undefined;
  return relays.startRelay({
    ...where,
    ...(entry ? { entry } : {}),
    ...(made ? { made } : {}),
    ...(direct === undefined ? {} : { launcher: directly(direct, withAssets) }),
  });
}

/** An answer that is no JSON is not the relay's own: it is shown as it came. */
async function answerOf(path: string, response: Response): Promise<Answer> {
  const { status, headers } = response;
  const text = await response.text();
  try {
    return { status, headers, body: JSON.parse(text) };
  } catch {
    throw new Error(`the relay's server answered ${status} to ${path}: ${text.slice(0, 2000)}`);
  }
}

function accepted(answer: Answer): Answer {
  if (answer.status === 202 && !answer.body.rejected) return answer;
  throw new Error(`the relay answered ${answer.status}: ${JSON.stringify(answer.body).slice(0, 2000)}`);
}
