import { problem } from "../../answers/problem.ts";
import { type Failure, problemBody } from "../../errors.ts";
import type { RefusalStatus } from "../contract.ts";
import { reference } from "./components.ts";

const retryAfterSeconds = 5;

/** A failure of each status, from which its example is made. */
const SAMPLES: Record<RefusalStatus | 400 | 413 | 415 | 500, { description: string; failure: Failure }> = {
  400: {
    description: "A parameter, a header or the body is not valid.",
    failure: {
      kind: "invalid_request",
      problems: [{ field: "limit", rule: "must be a whole number from 1 to 500", value: '"many"' }],
    },
  },
  401: {
    description: "No token, or none that is known.",
    failure: { kind: "unauthenticated", detail: "The token is not known, has expired or was revoked." },
  },
  403: {
    description: "The token lacks the scope that is named.",
    failure: {
      kind: "forbidden",
      detail: "This needs a token with the scope 'admin'; this token has: read.",
    },
  },
  404: {
    description: "There is no such thing.",
    failure: { kind: "not_found", detail: "There is no trial 9a84823e448e8ab1a956e60ac5c2dda4." },
  },
  409: {
    description: "It cannot be done as things stand.",
    failure: { kind: "conflict", detail: "Dead letter 1 is replayed and cannot be dropped." },
  },
  413: {
    description: "The body is too large.",
    failure: { kind: "payload_too_large", detail: "A request may hold at most 1000000 bytes." },
  },
  415: {
    description:
      "The body is of a type, a charset or a content coding that is not taken, or the file of one that is not shown.",
    failure: {
      kind: "unsupported_media_type",
      detail: "Content-Type must be application/json or application/x-ndjson, got text/plain.",
    },
  },
  416: {
    description: "The file ends before the range that is asked for.",
    failure: { kind: "no_such_range", detail: "The file has 4096 bytes.", bytes: 4096 },
  },
  422: {
    description: "MLflow would not take this item, or the body nests too deep.",
    failure: {
      kind: "invalid_item",
      problems: [{ field: "item.step", rule: "must be an integer", value: '"three"' }],
    },
  },
  429: {
    description:
      "Too many requests with this token, or without a valid one from this address; see Retry-After.",
    failure: {
      kind: "rate_limited",
      detail: "This token has sent more requests than it may in a minute.",
      retryAfterSeconds,
    },
  },
  500: { description: "The relay itself went wrong; the log has the reason.", failure: { kind: "internal" } },
  501: {
    description: "What it needs is not configured.",
    failure: { kind: "not_implemented", detail: "This relay has no bucket for files." },
  },
  503: {
    description:
      "Nothing was acknowledged, since something that is needed, as the database, is away; send it again after Retry-After.",
    failure: {
      kind: "unavailable",
      detail: "Neither the database nor the queue takes events. Nothing of this request was acknowledged.",
      retryAfterSeconds,
    },
  },
};

/** The shared responses of refusals, by status. */
export function refusalResponses() {
  return Object.fromEntries(
    Object.entries(SAMPLES).map(([status, { description, failure }]) => [
      `Refusal${status}`,
      {
        description,
        ...headersOf(failure),
        content: {
          "application/problem+json": { schema: reference(problem), example: problemBody(failure) },
        },
      },
    ]),
  );
}

function headersOf(failure: Failure) {
  const header = (name: string, description: string, type: "string" | "integer") => ({
    headers: { [name]: { description, schema: { type } } },
  });
  if ("retryAfterSeconds" in failure) return header("Retry-After", "In seconds.", "integer");
  if (failure.kind === "unauthenticated") return header("WWW-Authenticate", "Bearer.", "string");
  return {};
}
