import { type Failure, isAway } from "../../mlflow/failure.ts";
import type { Deps } from "../deps.ts";
import { recordFailure } from "../line/breaker.ts";
import { landingMs } from "../stream/held-stream.ts";
import type { Part } from "./bringing.ts";

/** What MLflow will not take as it is, or not yet, is asked again after this. */
const REFUSED_MS = 600_000;

/**
 * Why something is not in MLflow yet, and when it is tried again: in `ms`, or where it is held once the breaker closes,
 * which wakes it. `landsForMs`: so long a call may still land.
 */
export type NotYet = {
  failure: Failure | null;
  error: string;
  isHeld: boolean;
  ms: number;
  nextAttemptAt: number;
  landsForMs: number;
};

/**
 * What follows from a part that went no further. What comes before it is waited for as long as the server: while that is
 * left alone nothing changes, and else ever more seldom.
 * @param how.waitMs how long to wait where the server was at fault; null: for what comes before it
 * @param how.isServers whether a failure says something of the server rather than of what it was asked
 */
export async function notYet(
  deps: Deps,
  stopped: Extract<Part, { ok: false }>,
  how: { waitMs: (failure: Failure | null) => number; isServers?: (failure: Failure) => boolean },
): Promise<NotYet> {
  const { failure } = stopped;
  const isServers = how.isServers ?? isAway;
  const landsForMs = failure?.kind === "ambiguous" ? landingMs(deps.config.mlflow.timeoutMs) : 0;
  const isLeftAlone =
    failure === null
      ? (await deps.guard.held()) !== null
      : failure.kind === "held" || (isServers(failure) && (await recordFailure(deps, failure)));
  // Nobody may have it while a call may still land: who is woken in that time would find it taken.
  const isHeld = isLeftAlone && landsForMs === 0;
  const ms = Math.max(ownWaitMs(stopped, isServers, how.waitMs), landsForMs);
  const error =
    stopped.failure === null ? stopped.error : `${stopped.failure.kind}: ${stopped.failure.message}`;
  return { failure, error, isHeld, ms, nextAttemptAt: isHeld ? 0 : deps.now() + ms, landsForMs };
}

function ownWaitMs(
  stopped: Extract<Part, { ok: false }>,
  isServers: (failure: Failure) => boolean,
  waitMs: (failure: Failure | null) => number,
): number {
  if (stopped.failure !== null) return isServers(stopped.failure) ? waitMs(stopped.failure) : REFUSED_MS;
  const goesOn = stopped.ms === 0;
  return goesOn ? 0 : Math.max(stopped.ms, waitMs(null));
}
