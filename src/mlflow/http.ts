import type * as z from "zod";
import {
  type CallKind,
  classify,
  type Failure,
  type FailureKind,
  type Result,
  senseless,
  unanswered,
} from "./failure.ts";
import { parseJson, stringifyJson } from "./json.ts";
import type { Target } from "./target.ts";

export type { MlflowAuth, MlflowSettings } from "./target.ts";

/** One finished call, for metrics: `endpoint` such as "runs/log-batch", `status` null if nothing was answered. */
export type Observation = {
  endpoint: string;
  kind: "ok" | FailureKind;
  durationMs: number;
  status: number | null;
};

export type MlflowDeps = {
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** ms since 1970 */
  now: () => number;
  observe?: (observation: Observation) => void;
  /** Asked before each call: why it must not be sent, or null. It may take its time, until the call's place has come. */
  admit?: () => Promise<Failure | null>;
};

/**
 * A call to `/api/2.0/mlflow/<endpoint>`, or to `/api/2.0/<endpoint>` where `of` says so: GET with a query, or another with
 * a JSON body. `as`: how it is counted, where the endpoint has an id in it. `isAbout` tells whether an answer of the right shape speaks of what was asked, and not of something else.
 */
export type Call<T> = CallKind & {
  endpoint: string;
  as?: string;
  of?: "api";
  schema: z.ZodType<T>;
  isAbout?: (answer: T) => boolean;
} & (
    | { method: "GET"; query: Record<string, string> }
    | { method: "POST" | "PATCH" | "DELETE"; body: object }
  );

export type Send = <T>(call: Call<T>) => Promise<Result<T>>;

/**
 * Makes the one function through which every call goes. It never throws, follows no redirects, and lets no
 * credentials into a message.
 */
export function createSend(target: Result<Target>, timeoutMs: number, deps: MlflowDeps): Send {
  return (call) =>
    observed(deps, call.as ?? call.endpoint, target, (reached) => attempt(call, reached, timeoutMs, deps));
}

/** MLflow answers every call that succeeds with exactly this. */
const OK = 200;

/** What came of one attempt; `status` is null if nothing was answered. */
export type CallAnswer<T> = { result: Result<T>; status: number | null };

/** Makes one attempt, unless the settings are wrong, and tells of it. */
export async function observed<T>(
  { now, observe, admit }: MlflowDeps,
  endpoint: string,
  target: Result<Target>,
  attempted: (target: Target) => Promise<CallAnswer<T>>,
): Promise<Result<T>> {
  const refusal = (await admit?.()) ?? null;
  if (refusal) return { ok: false, failure: refusal };
  const started = now();
  const { result, status } = target.ok ? await attempted(target.value) : { result: target, status: null };
  const kind = result.ok ? "ok" : result.failure.kind;
  observe?.({ endpoint, kind, durationMs: now() - started, status });
  return result;
}

async function attempt<T>(
  call: Call<T>,
  { api, base, headers, clean }: Target,
  timeoutMs: number,
  { fetch, now }: MlflowDeps,
): Promise<CallAnswer<T>> {
  const request = toRequest(call, headers);
  const query = call.method === "GET" ? `?${new URLSearchParams(call.query)}` : "";
  let status: number | null = null;
  try {
    const signal = AbortSignal.timeout(timeoutMs); // from here to the end of the body
    const response = await fetch(`${call.of === "api" ? api : base}${call.endpoint}${query}`, {
      ...request,
      redirect: "manual",
      signal,
    });
    status = response.status;
    const body = await response.text();
    if (status === OK) return { result: read(call, response.headers, body), status };
    const failure = classify(call, { status, headers: response.headers, body }, now(), clean);
    return { result: { ok: false, failure }, status };
  } catch (error) {
    const failure = unanswered(call, clean(describe(error, timeoutMs)), status);
    return { result: { ok: false, failure }, status };
  }
}

function toRequest<T>(call: Call<T>, common: Headers): RequestInit {
  if (call.method === "GET") return { method: "GET", headers: common };
  const headers = new Headers(common);
  headers.set("content-type", "application/json");
  return { method: call.method, headers, body: stringifyJson(call.body) };
}

function read<T>(call: Call<T>, headers: Headers, body: string): Result<T> {
  const contentType = headers.get("content-type") ?? "";
  const json = parseJson(body);
  if (json === undefined) {
    // JSON by its header but not by its text was cut off on the way; anything else is not MLflow.
    const failure = contentType.includes("json")
      ? unanswered(call, "The answer was cut off", OK)
      : senseless(call, `Not an MLflow server: ${call.endpoint} answered ${contentType || "no JSON"}`, OK);
    return { ok: false, failure };
  }
  const parsed = call.schema.safeParse(json);
  if (parsed.success && call.isAbout?.(parsed.data) !== false) return { ok: true, value: parsed.data };
  const issue = parsed.error?.issues[0];
  const where = issue ? `: ${issue.path.join(".")} ${issue.message}` : ": it speaks of something else";
  return { ok: false, failure: senseless(call, `Not an answer of MLflow's ${call.endpoint}${where}`, OK) };
}

/** What went wrong with a call that was not answered, in words. */
export function describe(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return "No answer";
  if (error.name === "TimeoutError") return `No complete answer within ${timeoutMs} ms`;
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : "";
  return `No answer: ${error.message}${cause}`;
}
