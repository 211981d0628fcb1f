import { isNotServed } from "./artifacts.ts";
import { classify, failed, isAway, type Result, unanswered } from "./failure.ts";
import { type CallAnswer, describe, type MlflowDeps, observed } from "./http.ts";
import type { Target } from "./target.ts";

/** A client's own request, as far as it may reach MLflow. */
export type PassedRequest = {
  method: string;
  /** Below the server's address, encoded, with its query. */
  path: string;
  /** Whatever is not in here MLflow does not see; the relay's own headers come on top. */
  headers: Headers;
  body: ReadableStream<Uint8Array> | Blob | string | null;
  /** How long the first byte of the answer may take, ms; after that an answer takes as long as it takes. */
  patienceMs: number;
};

/** Of MLflow's answer a client is to see these: no cookie, no address, nothing that is between two neighbours only. */
const SHOWN_HEADERS = [
  "accept-ranges",
  "content-disposition",
  "content-range",
  "content-type",
  "etag",
  "last-modified",
  "retry-after",
];

/** What may not be MLflow's own word, but of something between, or about the relay's own credentials. */
const DOUBTFUL = new Set([401, 403, 407, 502, 503, 504]);
const NOT_MODIFIED = 304;
const FORBIDDEN = 403;
const MAX_ERROR_BYTES = 64_000;

/** `clean` takes the relay's credentials out of a text, since a server may quote what it was sent. */
export type PassedAnswer = { response: Response; clean: (text: string) => string };

export function passOnCall(target: Result<Target>, deps: MlflowDeps) {
  return {
    /**
     * Sends a client's request to MLflow. What MLflow says is given back, refusals too; a failure says that MLflow did not
     * speak. The body of the answer is not read.
     */
    passOn: (request: PassedRequest): Promise<Result<PassedAnswer>> =>
      observed(deps, "passed", target, (reached) => send(request, reached, deps)),
  };
}

async function send(
  { method, path, headers, body, patienceMs }: PassedRequest,
  target: Target,
  { fetch, now }: MlflowDeps,
): Promise<CallAnswer<PassedAnswer>> {
  const call = { access: method === "GET" || method === "HEAD" ? "read" : "write", target: "id" } as const;
  const waited = new AbortController();
  const timer = setTimeout(() => waited.abort(new DOMException("", "TimeoutError")), patienceMs);
  let status: number | null = null;
  try {
    const response = await fetch(`${target.server}${path}`, {
      method,
      headers: signed(headers, target),
      body,
      redirect: "manual",
      signal: waited.signal,
    });
    status = response.status;
    const clean = response.ok ? target.cleanRecord : target.clean;
    if (!isDoubtful(status))
      return { result: { ok: true, value: { response: shown(response, response.body), clean } }, status };
    const text = await beginning(response);
    const failure = isNotServed(text)
      ? failed("misconfigured", clean(text), status)
      : classify(call, { status, headers: response.headers, body: text }, now(), clean);
    // MLflow itself may forbid one thing and do another.
    const isForbidden = status === FORBIDDEN && failure.code !== null;
    if (isAway(failure) && !isForbidden) return { result: { ok: false, failure }, status };
    return { result: { ok: true, value: { response: shown(response, text), clean } }, status };
  } catch (error) {
    const failure = unanswered(call, target.clean(describe(error, patienceMs)), status);
    return { result: { ok: false, failure }, status };
  } finally {
    clearTimeout(timer);
  }
}

function isDoubtful(status: number): boolean {
  return DOUBTFUL.has(status) || (status >= 300 && status < 400 && status !== NOT_MODIFIED);
}

function signed(headers: Headers, target: Target): Headers {
  const all = new Headers(headers);
  for (const [name, value] of target.headers) all.set(name, value);
  all.set("accept", headers.get("accept") ?? "*/*");
  // What is compressed on the way has no length, by which a client would see that a file was cut off.
  all.set("accept-encoding", "identity");
  return all;
}

function shown({ headers, status }: Response, body: ReadableStream<Uint8Array> | string | null): Response {
  const passed = new Headers();
  for (const name of SHOWN_HEADERS) {
    const value = headers.get(name);
    if (value !== null) passed.set(name, value);
  }
  // The length of what was compressed all the same is not that of what is passed on.
  const length = headers.has("content-encoding") ? null : headers.get("content-length");
  if (length !== null && typeof body !== "string") passed.set("content-length", length);
  return new Response(body, { status, headers: passed });
}

async function beginning({ body }: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAX_ERROR_BYTES) break;
  }
  return text;
}
