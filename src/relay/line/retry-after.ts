import type { Failure } from "../../mlflow/failure.ts";

/** A server that asks for more is asked again after this. */
const MAX_RETRY_AFTER_MS = 120_000;

/** How long to wait after a failure, in ms: as long as the server asked for where that is longer than `ownMs`, within reason. */
export function waitAfter(failure: Pick<Failure, "retryAfterMs"> | null, ownMs: number): number {
  return Math.max(ownMs, Math.min(failure?.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS));
}
