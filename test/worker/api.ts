import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { app } from "../../src/app.ts";
import { foldStream } from "../../src/relay/stream/fold.ts";
import { Invocation } from "../platform/limits.ts";
import { isAsDocumented } from "./document-schemas.ts";

export const ADMIN = "test-admin-token";

/** What was sent to the queues. Nobody consumes them, so that a test itself says when anything is folded. */
export const sent: { trials: unknown[]; jobs: unknown[]; files: unknown[] } = {
  trials: [],
  jobs: [],
  files: [],
};

const queues = {
  TRIALS: { sendBatch: async (messages: unknown[]) => void sent.trials.push(...messages) },
  JOBS: { send: async (message: unknown) => void sent.jobs.push(message) },
  FILES: { send: async (message: unknown) => void sent.files.push(message) },
};

type Init = RequestInit & { token?: string | null; bindings?: object };

/**
 * A request to the relay, with the admin token unless another is given, and its body as JSON unless it says otherwise.
 * Whatever the answer, it is one that the document promises.
 */
export async function request(path: string, { token = ADMIN, bindings, ...init }: Init = {}) {
  const headers = new Headers(init.headers);
  if (init.body && !headers.has("content-type")) headers.set("content-type", "application/json");
  if (token !== null) headers.set("authorization", `Bearer ${token}`);
  const all = { ...env, ...queues, ...bindings };
  const response = await app.request(
    path,
    { ...init, headers },
    { ...all, DB: new Invocation().database(all.DB) },
    createExecutionContext(),
  );
  const body: unknown = await response.json();
  isAsDocumented(init.method ?? "GET", path, response, body);
  return { status: response.status, headers: response.headers, body };
}

/** Posts one event, a list of them, or ready text, as JSON unless the headers say otherwise. */
export function post(body: unknown, headers: Record<string, string> = {}) {
  return request("/api/events/ml", {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  });
}

/** Folds every stream, as the consumer would. */
export async function foldAll(): Promise<void> {
  const { results } = await env.DB.prepare("select id, kind, folded_seq as foldedSeq from streams").all<{
    id: number;
    kind: "trial" | "model_run";
    foldedSeq: number;
  }>();
  for (const stream of results) await foldStream({ db: env.DB, now: Date.now }, stream);
}

/** The public id of a trial. */
export async function idOf(trialId: string): Promise<string> {
  const key = await env.DB.prepare("select key from streams where trial_id = ?1")
    .bind(trialId)
    .first<string>("key");
  if (key === null) throw new Error(`no trial ${trialId} was posted`);
  return key;
}
