import { HttpFailure } from "../errors.ts";
import { Refusal } from "../gateway/refusal.ts";

const RETRY_AFTER_SECONDS = 30;

/** What is looked up as for MLflow's clients, with its refusals in the relay's own words. */
export async function lookedUp<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const detail = error.message;
    throw error.code === "TEMPORARILY_UNAVAILABLE"
      ? new HttpFailure({ kind: "unavailable", detail, retryAfterSeconds: RETRY_AFTER_SECONDS })
      : new HttpFailure({ kind: "not_found", detail });
  }
}
