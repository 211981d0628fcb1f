import { env } from "cloudflare:workers";
import { consume } from "../../src/relay/consume.ts";
import type { Deps } from "../../src/relay/deps.ts";
import type { RelayMessage } from "../../src/relay/messages.ts";
import { wire } from "../../src/wire.ts";
import { Invocation } from "../platform/limits.ts";
import { post } from "./api.ts";
import { invocation } from "./endless.ts";
import { recordingQueue } from "./job-tools.ts";
import type { OddMlflow } from "./odd-mlflow.ts";

/** The queue's consumer played invocation by invocation, each under the platform's limits. */

const QUIET = { RELAY_ANNOUNCE_GRACE_SECONDS: "0", RELAY_RETRY_BASE_MS: "10", RELAY_RETRY_MAX_MS: "100" };

/** The wall clock of a test: it goes on as the test says. */
export class Clock {
  #passedMs = 0;
  readonly now = () => Date.now() + this.#passedMs;
  pass(ms: number): void {
    this.#passedMs += ms;
  }
}

type How = {
  vars?: Record<string, string>;
  db?: D1Database;
  /** How long each call to MLflow takes on the clock. */
  callMs?: number;
};

/** One invocation's effects under the platform's limits, with what it sends on. */
export function invoked(mlflow: Pick<OddMlflow, "fetch">, { vars, db = env.DB, callMs = 0 }: How = {}) {
  const clock = new Clock();
  const taken = new Invocation(clock.now);
  const trials = recordingQueue();
  const jobs = recordingQueue();
  const bindings = {
    ...env,
    ...QUIET,
    ...vars,
    DB: db,
    TRIALS: trials.queue,
    JOBS: jobs.queue,
    FILES: jobs.queue,
  };
  const slow = async (url: string, init: RequestInit) => {
    clock.pass(callMs);
    return mlflow.fetch(url, init);
  };
  const wired: Deps = wire(taken.env(bindings), {}, taken.fetch(slow));
  const deps = callMs === 0 ? wired : invocation({ ...wired, now: clock.now });
  return { taken, clock, deps, sent: trials.sent };
}

/** A message as the queue delivers it for the first time; `retried` hears of a retry, in seconds. */
export function messageOf(
  body: RelayMessage,
  n: number,
  retried: (delaySeconds: number) => void = () => {},
): Message<RelayMessage> {
  return {
    id: String(n),
    timestamp: new Date(),
    attempts: 1,
    body,
    ack() {},
    retry: ({ delaySeconds = 0 } = {}) => retried(delaySeconds),
  };
}

/**
 * Delivers messages and what they lead to, so many at once.
 * @returns how many were retried, the most statements, the longest wait in seconds, the longest invocation, and how many there were
 */
export async function deliverAll(
  mlflow: Pick<OddMlflow, "fetch">,
  first: readonly RelayMessage[],
  batchSize: number,
  how: How = {},
) {
  const waiting = [...first];
  const found = { retried: 0, most: 0, longest: 0, longestMs: 0, invocations: 0 };
  for (; waiting.length > 0 && found.invocations < 500; found.invocations++) {
    const { taken, clock, deps, sent } = invoked(mlflow, how);
    const begunAt = clock.now();
    const bodies = waiting.splice(0, batchSize);
    const messages = bodies.map((body, i) =>
      messageOf(body, i, (delaySeconds) => {
        found.longest = Math.max(found.longest, delaySeconds);
        found.retried++;
        waiting.push(body);
      }),
    );
    await consume(deps, messages);
    found.most = Math.max(found.most, taken.statements);
    found.longestMs = Math.max(found.longestMs, clock.now() - begunAt);
    waiting.push(...sent.map(({ body }) => body));
    found.longest = Math.max(found.longest, ...sent.map(({ delaySeconds = 0 }) => delaySeconds));
    if (sent.some(({ delaySeconds = 0 }) => delaySeconds > 0))
      await env.DB.prepare("update streams set next_attempt_at = 0").run();
  }
  return { ...found, left: waiting.length };
}

export async function pokesOf(modelRunId: string): Promise<RelayMessage[]> {
  const query = env.DB.prepare("select id from streams where model_run_id = ?1 order by kind desc, id");
  const { results } = await query.bind(modelRunId).all<{ id: number }>();
  return results.map(({ id }) => ({ kind: "poke", streamId: id }));
}

export function behind(modelRunId: string): Promise<number | null> {
  const query = "select count(*) as n from streams where model_run_id = ?1 and delivered_seq < last_seq";
  return env.DB.prepare(query).bind(modelRunId).first<number>("n");
}

export async function study(modelRunId: string, trials: number, points: number): Promise<void> {
  const search = { requested_trials: trials, search_space_version: 1, max_params: 1 };
  await post({ event: "ml.run.start", model_run_id: modelRunId, ...search });
  for (let t = 0; t < trials; t++)
    await post([
      { event: "ml.trial.start", model_run_id: modelRunId, trial_id: `t${t}`, spectral_norm: true },
      ...Array.from({ length: points }, (_, step) => ({
        event: "ml.run.metric",
        model_run_id: modelRunId,
        trial_id: `t${t}`,
        step,
        metrics: { loss: 1 / (step + 1) },
      })),
    ]);
}
