import type { Failure } from "../../mlflow/failure.ts";
import { backoffMs } from "../../waiting.ts";
import type { Deps } from "../deps.ts";

/** A server that asks for more is asked again after this. */
const MAX_RETRY_AFTER_MS = 120_000;

/** How long to wait after a failure, in ms: as long as the server asked for where that is longer than `ownMs`, within reason. */
export function waitAfter(failure: Pick<Failure, "retryAfterMs"> | null, ownMs: number): number {
  return Math.max(ownMs, Math.min(failure?.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS));
}

/** The same with the relay's own backoff. `attempts`: how many were spent before. */
export function retryMs(
  { config, random }: Pick<Deps, "config" | "random">,
  attempts: number,
  failure: Pick<Failure, "retryAfterMs"> | null,
): number {
  return waitAfter(failure, backoffMs(attempts, config.retry, random));
}
