import { parseJson } from "./json.ts";
import { parseRetryAfter } from "./retry-after.ts";

/**
 * - transient: answered and over; the same call may succeed later (a log-batch may be in in part: MLflow writes
 *   params, metrics and tags in separate transactions)
 * - ambiguous: a write of which it is unknown whether it was applied, or still will be
 * - duplicate: a UNIQUE violation, from a repeat or a lost race
 * - conflict: a parameter exists with another value
 * - exists: the name is taken, by a deleted experiment too; also MLflow's answer when the tags of a create collide
 * - invalid: this request can never succeed
 * - gone: the run or experiment is deleted or was never there
 * - missing: no experiment of that name, or no such tag
 * - misconfigured: wrong address, credentials, or something between that is not MLflow
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
  | "misconfigured";

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
  return kind === "transient" || kind === "ambiguous" || kind === "misconfigured";
}

/** The failure of a call that got no complete answer: network error, timeout, cut connection. */
export function unanswered(call: CallKind, message: string, status: number | null = null): Failure {
  return { kind: unknownOutcome(call), status, code: null, message: shorten(message), retryAfterMs: null };
}

/** The failure of something that no retry mends, without an MLflow error behind it. */
export function failed(
  kind: "invalid" | "misconfigured",
  message: string,
  status: number | null = null,
): Failure {
  return { kind, status, code: null, message: shorten(message), retryAfterMs: null };
}

type MlflowError = { code: string; message: string };

function ofMlflow(call: CallKind, status: number, { code, message }: MlflowError): FailureKind {
  // What follows in a message of SQLAlchemy is the statement with the caller's own values.
  const cause = message.split("[SQL:", 1)[0] ?? "";
  if (message.startsWith("Changing param values is not allowed")) return "conflict"; // 500 on file stores
  if (/^The (run|experiment) \S+ must be in the 'active' state/.test(message)) return "gone";
  if (message.startsWith("Cannot rename a non-active experiment")) return "gone"; // answered with 500
  switch (code) {
    case "RESOURCE_ALREADY_EXISTS":
    case "ALREADY_EXISTS":
      return "exists";
    case "RESOURCE_DOES_NOT_EXIST":
    case "NOT_FOUND":
      return call.target === "name" || message.startsWith("No tag with name") ? "missing" : "gone";
    case "BAD_REQUEST":
      if (/QueuePool limit/.test(cause)) return "transient"; // overload, though answered as the caller's fault
      return isUniqueViolation(cause) ? "duplicate" : "invalid";
    case "UNAUTHENTICATED":
    case "CUSTOMER_UNAUTHORIZED":
    case "PERMISSION_DENIED":
    case "ENDPOINT_NOT_FOUND":
    case "NOT_IMPLEMENTED":
      return "misconfigured";
    case "ABORTED":
    case "RESOURCE_CONFLICT":
    case "CANCELLED":
      return "transient"; // lost against another request
  }
  if (status >= 500 || status === 429 || status === 408) return "transient";
  return status === 401 || status === 403 || status < 400 ? "misconfigured" : "invalid";
}

/** An answer that MLflow's handlers did not write: a proxy, its security middleware, a web server's error page. */
function ofStranger(call: CallKind, status: number): FailureKind {
  if (status >= 500) return unknownOutcome(call);
  if (status === 429 || status === 408) return "transient";
  return status === 413 ? "invalid" : "misconfigured"; // too large for a proxy: a smaller batch passes
}

function unknownOutcome(call: CallKind): FailureKind {
  return call.access === "write" ? "ambiguous" : "transient";
}

/** The words of SQLite, PostgreSQL (its driver's class and its text) and MySQL. */
function isUniqueViolation(cause: string): boolean {
  return /UNIQUE constraint failed|UniqueViolation|duplicate key value|Duplicate entry/.test(cause);
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
