import { expect } from "vitest";
import { Refusal } from "../../../src/gateway/refusal.ts";

/** What a reader answers: what it read, or how it refuses. */
export function outcome(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    if (error instanceof Refusal) return error.body;
    throw error;
  }
}

/** The refusal with MLflow's most frequent code, by its message or the beginning of it. */
export function refused(message: string | RegExp, code = "INVALID_PARAMETER_VALUE"): unknown {
  return {
    error_code: code,
    message: typeof message === "string" ? message : expect.stringMatching(message),
  };
}

export const SEE_DOCS = " See the API docs for more information about request parameters.";
export const missing = (path: string) =>
  refused(`Missing value for required parameter '${path}'.${SEE_DOCS}`);
export const mistyped = (path: string, value: string, type: string) =>
  refused(
    `Invalid value ${value} for parameter '${path}' supplied:  Hint: Value was of type '${type}'.${SEE_DOCS}`,
  );
