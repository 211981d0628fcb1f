import type { ProblemBody } from "./answers/problem.ts";
import type { Rejection } from "./domain/events.ts";
import { type FieldProblem, MAX_SAID, sentence } from "./domain/problems.ts";
import { shortened } from "./domain/shown.ts";
import { EVENT_TYPES } from "./domain/types.ts";

/** Every way in which a request can fail, and its one mapping to HTTP. */
export type Failure =
  | { kind: "unauthenticated"; detail: string }
  | { kind: "forbidden"; detail: string }
  | { kind: "not_found"; detail: string }
  | { kind: "method_not_allowed"; detail: string; allow: string }
  | { kind: "payload_too_large"; detail: string }
  | { kind: "unsupported_media_type"; detail: string; acceptEncoding?: string }
  | { kind: "invalid_request"; problems: FieldProblem[] }
  | { kind: "invalid_item"; problems: FieldProblem[] }
  | { kind: "too_deep"; problems: FieldProblem[] }
  | { kind: "conflict"; detail: string }
  | { kind: "no_such_range"; detail: string; bytes: number }
  | { kind: "not_implemented"; detail: string }
  | { kind: "rejected"; rejection: Rejection; index?: number }
  | { kind: "rate_limited"; detail: string; retryAfterSeconds: number }
  | { kind: "unavailable"; detail: string; retryAfterSeconds: number }
  | { kind: "misconfigured"; detail: string }
  | { kind: "internal" };

/** What is said, in either API, while the database is away. */
export const DATABASE_AWAY =
  "The relay's database does not answer just now. Nothing of this request was acknowledged.";

/** Thrown by a handler, answered by `app.onError`. */
export class HttpFailure extends Error {
  override readonly name = "HttpFailure";
  readonly failure: Failure;
  /** The event that was refused, as it was parsed. */
  readonly event: unknown;
  constructor(failure: Failure, event?: unknown) {
    super(failure.kind);
    this.failure = failure;
    this.event = event;
  }
}

const STATUS = {
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  payload_too_large: 413,
  unsupported_media_type: 415,
  invalid_request: 400,
  invalid_item: 422,
  too_deep: 422,
  conflict: 409,
  no_such_range: 416,
  rate_limited: 429,
  unavailable: 503,
  misconfigured: 500,
  internal: 500,
  not_implemented: 501,
} as const;

const TITLE: Record<string, string> = {
  unauthenticated: "A valid token is needed",
  forbidden: "The token may not do this",
  not_found: "There is nothing here",
  method_not_allowed: "This address does not take this method",
  payload_too_large: "The request is too large",
  unsupported_media_type: "The body is of a type that is not taken",
  invalid_request: "The request is not valid",
  invalid_item: "MLflow would not take this item",
  too_deep: "The body nests too deep",
  conflict: "This cannot be done as things stand",
  no_such_range: "The file has no such range",
  not_implemented: "This relay cannot do this",
  rate_limited: "Too many requests",
  unavailable: "Not available just now",
  misconfigured: "The relay is not configured right",
  internal: "Something went wrong in the relay",
  invalid_json: "The body is not JSON",
  validation_failed: "A required field is missing",
  unknown_event_type: "The event type is not known",
  event_construction_failed: "A field does not hold what it must",
  event_too_large: "The event is too large",
  event_id_conflict: "The event id was used before with another body",
};

/** The body for a failure, with the first `most` of its problems; its `index` says which item of the request it is about. */
export function problemBody(failure: Failure, most = MAX_SAID): ProblemBody {
  if (failure.kind === "rejected") return rejectionBody(failure.rejection, failure.index, most);
  const problems = "problems" in failure ? failure.problems : [];
  const detail =
    failure.kind === "internal"
      ? "The error was logged with this request's id."
      : "problems" in failure
        ? summary(problems)
        : shortened(failure.detail, MAX_DETAIL_CHARS);
  return body(failure.kind, STATUS[failure.kind], detail, detail, problems.slice(0, most), problems.length);
}

const MAX_DETAIL_CHARS = 1_000;
const MAX_RECEIVED_CHARS = 100;

function rejectionBody(rejection: Rejection, index: number | undefined, most: number): ProblemBody {
  const { status, error, received } = rejection;
  const problems = rejection.problems.slice(0, most);
  const total = rejection.problems.length + (rejection.more ?? 0);
  const detail = summary(problems, total);
  const where = index === undefined ? problems : problems.map((problem) => ({ index, ...problem }));
  return {
    ...body(error, status, detailsOf(error, problems, detail), detail, where, total),
    ...(received === undefined ? {} : { received: shortened(received, MAX_RECEIVED_CHARS) }),
  };
}

/** The first problem for people; the others are in `errors`. */
function summary(problems: readonly FieldProblem[], total = problems.length): string {
  const [first] = problems;
  if (!first) return "";
  return total === 1 ? sentence(first) : `${sentence(first)}; and ${total - 1} more, see errors`;
}

/** The original lists what is missing and describes what is wrong. */
function detailsOf(error: Rejection["error"], problems: readonly FieldProblem[], detail: string) {
  if (error === "unknown_event_type") return `Supported events: ${EVENT_TYPES.join(", ")}`;
  return error === "validation_failed" ? problems.map(sentence) : detail;
}

function body(
  error: string,
  status: number,
  details: string | string[],
  detail: string,
  errors: NonNullable<ProblemBody["errors"]>,
  total: number,
) {
  return {
    success: false as const,
    error,
    details,
    type: `urn:trial-relay:problem:${error}`,
    title: TITLE[error] ?? error,
    status,
    detail,
    ...(errors.length > 0 ? { errors } : {}),
    ...(total > errors.length ? { more_errors: total - errors.length } : {}),
  };
}

/** The response for a failure, with `Retry-After` and `WWW-Authenticate` where they belong. */
export function problemResponse(failure: Failure, requestId: string): Response {
  const problem: ProblemBody = { ...problemBody(failure), request_id: requestId };
  const headers = new Headers({ "content-type": "application/problem+json", "x-request-id": requestId });
  if (failure.kind === "method_not_allowed") headers.set("allow", failure.allow);
  if ("retryAfterSeconds" in failure) headers.set("retry-after", String(failure.retryAfterSeconds));
  if ("acceptEncoding" in failure && failure.acceptEncoding)
    headers.set("accept-encoding", failure.acceptEncoding);
  if (failure.kind === "no_such_range") headers.set("content-range", `bytes */${failure.bytes}`);
  if (failure.kind === "unauthenticated") headers.set("www-authenticate", 'Bearer realm="trial-relay"');
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
}
