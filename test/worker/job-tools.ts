import { createMessageBatch } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, vi } from "vitest";
import * as z from "zod";
import worker from "../../src/index.ts";
import type { RelayMessage } from "../../src/relay/messages.ts";
import { Invocation } from "../platform/limits.ts";
import { idOf, post, request } from "./api.ts";

/** What the tests of jobs have in common: how one is asked for, delivered by the queue, read and set. */

/** No waiting for a start, and no parent run, so that a trial stands for itself. */
const ALONE = { RELAY_PARENT_RUNS: "false", RELAY_ANNOUNCE_GRACE_SECONDS: "0" };

export function recordingQueue() {
  const sent: MessageSendRequest<RelayMessage>[] = [];
  const answer = { metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };
  const queue: Queue<RelayMessage> = {
    ...env.JOBS,
    send: async (body, options) => {
      sent.push({ ...options, body });
      return answer;
    },
    sendBatch: async (messages) => {
      sent.push(...messages);
      return answer;
    },
  };
  return { sent, queue };
}

/** An MLflow that knows one experiment and takes whatever it is sent. */
export const WILLING: Record<string, (asked: { tags?: unknown; page_token?: unknown }) => object> = {
  "experiments/get-by-name": () => ({
    experiment: { experiment_id: "1", name: "thunderline-trials", lifecycle_stage: "active" },
  }),
  "runs/create": ({ tags }) => {
    const run_id = crypto.randomUUID().replaceAll("-", "");
    return {
      run: {
        info: { run_id, experiment_id: "1", status: "RUNNING", lifecycle_stage: "active" },
        data: { tags },
      },
    };
  },
  "runs/log-batch": () => ({}),
  "runs/update": () => ({}),
  "experiments/search": () => ({}),
};
const REFUSAL = { error_code: "INVALID_PARAMETER_VALUE", message: "Invalid experiment name" };

/** Stands in for MLflow; `during` is done while it is called. @returns the endpoints that were called */
export function mlflow(answers: typeof WILLING, during: () => Promise<unknown> = async () => {}) {
  const called: string[] = [];
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    const endpoint = new URL(url).pathname.replace("/api/2.0/mlflow/", "");
    called.push(endpoint);
    await during();
    const answer = answers[endpoint]?.(typeof init.body === "string" ? JSON.parse(init.body) : {});
    return Response.json(answer ?? REFUSAL, { status: answer ? 200 : 400 });
  });
  return called;
}

type How = { bindings?: object; queue?: string; attempts?: number };

/** The queue's own handler; what it sent on. */
export function deliver(jobId: string, how: How = {}) {
  return deliverMessage({ kind: "job", jobId }, how);
}

/** The same of any message on the queue of the jobs. */
export async function deliverMessage(body: RelayMessage, more: How = {}) {
  const { sent, queue } = recordingQueue();
  const { queue: trials } = recordingQueue();
  const { attempts = 1, bindings } = more;
  const batch = createMessageBatch<RelayMessage>(more.queue ?? "trial-relay-jobs", [
    { id: "m", timestamp: new Date(), attempts, body },
  ]);
  const all = { ...env, ...ALONE, JOBS: queue, FILES: queue, TRIALS: trials, ...bindings };
  await worker.queue(batch, new Invocation().env(all));
  return sent;
}

const asked = z.object({ job_id: z.string(), state: z.string(), created: z.boolean(), message: z.string() });

export async function ask(path: string, init: { body?: object; bindings?: object } = {}) {
  const { body, bindings = {} } = init;
  const answer = await request(`/api/sync/${path}`, {
    method: "POST",
    bindings: { JOBS: recordingQueue().queue, ...bindings },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
  return { ...asked.parse(answer.body), ...answer };
}

export async function trial(trialId: string): Promise<string> {
  await post({ event: "ml.trial.start", model_run_id: "study", trial_id: trialId, spectral_norm: true });
  return idOf(trialId);
}

export const read = async (id: string) => (await request(`/api/sync/jobs/${id}`)).body;
export const act = (id: string, action: "cancel" | "retry") =>
  request(`/api/sync/jobs/${id}/${action}`, { method: "POST" });
export const set = (id: string, values: string) =>
  env.DB.prepare(`update jobs set ${values} where id = ?1`).bind(id).run();

/** Ends whatever is outstanding, so that tests do not wait for one another. */
export async function endAll(): Promise<void> {
  await env.DB.prepare("update jobs set state = 'cancelled', lease_token = null, lease_until = 0").run();
}
