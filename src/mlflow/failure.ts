import { dataFault } from "./data-fault.ts";
import { parseJson } from "./json.ts";

/**
 * - transient: answered and over, for now in vain: the server's state, and the same call may succeed later. A write may
 *   be in all the same, in part or whole: MLflow writes params, metrics and tags in separate transactions, and an error
 *   may follow the commit
 * - ambiguous: a write of which it is unknown whether it was applied, or still will be
 * - duplicate: a UNIQUE violation, from a repeat or a lost race
 * - conflict: a parameter exists with another value
 * - exists: the name is taken, by a deleted experiment too; also MLflow's answer when the tags of a create collide
 * - invalid: MLflow refuses what was asked of it
 * - gone: the run or experiment is deleted or was never there
 * - missing: no experiment of that name, or no such tag
 * - misconfigured: not done, or for a read: no answer of MLflow's. A wrong address, credentials, or something between
 * - held: not sent: the breaker is open, or calls are switched off
 */
export type FailureKind =
  | "transient"
  | "ambiguous"
  | "duplicate"
  | "conflict"
  | "exists"
  | "invalid"
  | "gone"
  | "missing"
  | "misconfigured"
  | "held";

/** `status` is null without an answer, `code` is MLflow's error_code if it gave one. Messages have at most 500 characters. */
export type Failure = {
  kind: FailureKind;
  status: number | null;
  code: string | null;
  message: string;
  retryAfterMs: number | null;
};

export type Result<T> = { ok: true; value: T } | { ok: false; failure: Failure };

/** What a call does, and whether it names its object by id or by name: both decide what an error means. */
export type CallKind = { access: "read" | "write"; target: "id" | "name" };
export type Reply = { status: number; headers: Headers; body: string };

const MESSAGE_CHARS = 500;

/**
 * Says what an answer other than 2xx means. Every rule was seen on real servers, MLflow 2.22 to 3.17.
 * @param now ms since 1970, for a Retry-After date
 * @param clean takes out of the message what must not be shown
 */
export function classify(
  call: CallKind,
  reply: Reply,
  now: number,
  clean: (text: string) => string = (text) => text,
): Failure {
  const error = readError(reply.body);
  const kind = error ? ofMlflow(call, reply.status, error) : ofStranger(call, reply.status);
  return {
    kind,
    status: reply.status,
    code: error?.code ?? null,
    message: shorten(clean(error?.message || explain(reply))),
    retryAfterMs: parseRetryAfter(reply.headers.get("retry-after"), now),
  };
}

/** Whether it may be the server's state; else MLflow itself spoke, and it is about what was asked of it. */
export function isAway({ kind }: Pick<Failure, "kind">): boolean {
  return kind === "transient" || kind === "ambiguous" || kind === "misconfigured" || kind === "held";
}

/** The failure of a call that got no complete answer: network error, timeout, cut connection. */
export function unanswered(call: CallKind, message: string, status: number | null = null): Failure {
  return { kind: kindWhenUnknown(call), status, code: null, message: shorten(message), retryAfterMs: null };
}

/** The failure of an answer that makes no sense for its call: a write may have been done all the same. */
export function senseless(call: CallKind, message: string, status: number): Failure {
  const kind = call.access === "write" ? "ambiguous" : "misconfigured";
  return { kind, status, code: null, message: shorten(message), retryAfterMs: null };
}

/** The failure of something that was found out without MLflow: by looking at the request, the settings, the breaker. */
export function failed(
  kind: "invalid" | "misconfigured" | "held",
  message: string,
  status: number | null = null,
): Failure {
  return { kind, status, code: null, message: shorten(message), retryAfterMs: null };
}

type MlflowError = { code: string; message: string };

function ofMlflow(call: CallKind, status: number, { code, message }: MlflowError): FailureKind {
  if (message.startsWith("Changing param values is not allowed")) return "conflict"; // 500 on file stores
  if (/^The (run|experiment) \S+ must be in the 'active' state/.test(message)) return "gone";
  if (message.startsWith("Cannot rename a non-active experiment")) return "gone"; // answered with 500
  switch (code) {
    case "RESOURCE_ALREADY_EXISTS":
    case "ALREADY_EXISTS":
      return "exists";
    case "RESOURCE_DOES_NOT_EXIST":
    case "NOT_FOUND":
      return call.target === "name" || /^No tag with (name|key)/.test(message) ? "missing" : "gone";
    // The code of every error of the database but those that its driver takes for passing ones.
    case "BAD_REQUEST":
    case "INTERNAL_ERROR":
    case "TEMPORARILY_UNAVAILABLE":
      return dataFault(message) ?? "transient";
    case "ABORTED":
    case "RESOURCE_CONFLICT":
    case "CANCELLED":
      return "transient"; // lost against another request
    case "INVALID_PARAMETER_VALUE":
    case "MALFORMED_REQUEST":
      return "invalid";
  }
  // What is not known is not taken for MLflow's word on what was asked of it.
  return status >= 500 || status === 429 || status === 408 ? "transient" : "misconfigured";
}

/**
 * The statuses by which something between refuses a call before MLflow hears of it. After any other, such as those of
 * a load balancer that gave up waiting, a write may have been done.
 */
const NOT_FORWARDED = new Set([
  400, 401, 403, 404, 405, 406, 407, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 426, 428, 431,
  451,
]);
const TOO_LARGE = 413;

/** An answer that MLflow's handlers did not write: a proxy, its security middleware, a web server's error page. */
function ofStranger(call: CallKind, status: number): FailureKind {
  if (status === 429) return "transient";
  if (status === TOO_LARGE) return "invalid"; // a smaller batch passes
  if (NOT_FORWARDED.has(status)) return "misconfigured";
  if (call.access === "write") return "ambiguous";
  return status >= 400 ? "transient" : "misconfigured";
}

function kindWhenUnknown(call: CallKind): FailureKind {
  return call.access === "write" ? "ambiguous" : "transient";
}

function readError(body: string): MlflowError | null {
  const json = parseJson(body);
  if (typeof json !== "object" || json === null || !("error_code" in json)) return null;
  if (typeof json.error_code !== "string") return null;
  const message = "message" in json && typeof json.message === "string" ? json.message : "";
  return { code: json.error_code, message };
}

function explain({ status, body }: Reply): string {
  if (status < 400)
    return `HTTP ${status}: the tracking URI is redirected, and must be the server's own address`;
  return plainText(body) || `HTTP ${status} without a message`;
}

function plainText(body: string): string {
  return body
    .replace(/<(script|style|title)\b[\s\S]*?<\/\1>/gi, " ")
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim();
}

function shorten(message: string): string {
  return message.length <= MESSAGE_CHARS ? message : `${message.slice(0, MESSAGE_CHARS - 1)}…`;
}

const SECONDS = /^\d+$/;
/** An HTTP date begins with the day's name; `Date.parse` alone would also read "-5" or "1.5" as dates. */
const HTTP_DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/;

/**
 * Reads a `Retry-After` header (RFC 9110, 10.2.3): seconds, or an HTTP date.
 * @param now ms since 1970, for the date form
 * @returns ms from now, at least 0 and not capped; null if absent or not understood
 */
export function parseRetryAfter(header: string | null, now: number): number | null {
  const text = header?.trim() ?? "";
  if (SECONDS.test(text)) return Math.min(Number(text) * 1000, Number.MAX_SAFE_INTEGER);
  const at = HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? null : Math.max(0, at - now);
}
