import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { app } from "../../src/app.ts";
import { Invocation } from "../platform/limits.ts";
import { ADMIN, sent } from "./api.ts";

/** What an MLflow client asks of the gateway, with the admin token unless another Authorization is given. */

const queues = {
  TRIALS: {
    send: async (message: unknown) => void sent.trials.push(message),
    sendBatch: async (messages: unknown[]) => void sent.trials.push(...messages),
  },
  JOBS: { send: async (message: unknown) => void sent.jobs.push(message) },
  FILES: { send: async (message: unknown) => void sent.files.push(message) },
};

/** Nobody listens there: MLflow is away. */
const AWAY = { MLFLOW_TRACKING_URI: "http://127.0.0.1:9" };

type How = { authorization?: string | null; bindings?: object; prefix?: string };

/** Asks an endpoint in any way. */
export async function ask(
  path: string,
  init: RequestInit,
  { authorization, bindings, prefix = "/api/2.0/mlflow" }: How,
) {
  const headers = new Headers(init.headers);
  if (authorization !== null) headers.set("authorization", authorization ?? `Bearer ${ADMIN}`);
  const all = { ...env, ...queues, ...AWAY, ...bindings };
  const response = await app.request(
    `${prefix}/${path}`,
    { ...init, headers },
    { ...all, DB: new Invocation().database(all.DB) },
    createExecutionContext(),
  );
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into freely, as a client in another language would.
  const body: any = await response.json();
  return { status: response.status, headers: response.headers, body };
}

/** POSTs a JSON body to an endpoint, such as `runs/create`. */
export function call(path: string, body: unknown, how: How = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return ask(path, { method: "POST", body: text, headers: { "content-type": "application/json" } }, how);
}

/** GETs an endpoint with a query. */
export function read(path: string, query: Record<string, string> = {}, how: How = {}) {
  return ask(`${path}?${new URLSearchParams(query)}`, { method: "GET" }, how);
}

/** A new run's id. */
export async function newRun(more: object = {}): Promise<string> {
  const { status, body } = await call("runs/create", { experiment_id: "0", start_time: 1_000, ...more });
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body.run.info.run_id;
}

/** The run as the gateway shows it. */
export async function runOf(runId: string) {
  return (await read("runs/get", { run_id: runId })).body.run;
}

/** Its tags, parameters or latest metrics by key. */
export async function dataOf(
  runId: string,
  kind: "tags" | "params" | "metrics",
): Promise<Record<string, unknown>> {
  const { data } = await runOf(runId);
  const pairs: { key: string; value: unknown }[] = data[kind] ?? [];
  return Object.fromEntries(pairs.map(({ key, value }) => [key, value]));
}
