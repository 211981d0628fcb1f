import type { Failure } from "../mlflow/failure.ts";
import { recordFailure } from "./breaker.ts";
import type { Deps } from "./deps.ts";
import type { Counts } from "./job-step.ts";
import type { Pulled } from "./pull.ts";

/** What is left of a helping: streams to be linked or merged, each of which costs calls and statements. */
export type Helping = { streams: number; untilMs: number };

export type Failed = Pick<Failure, "kind" | "message">;

/** What came of some runs. `more`: the helping was used up before they were. */
export type Outcome = { kind: "done" | "more" } | { kind: "failed"; failure: Failed };

/** Whether the helping has room for one more stream, which then counts. */
export function takes(helping: Helping, now: number): boolean {
  if (helping.streams <= 0 || now >= helping.untilMs) return false;
  helping.streams--;
  return true;
}

/** Adds to a count. */
export function count(counts: Counts, name: string, by = 1): void {
  counts[name] = (counts[name] ?? 0) + by;
}

/** Counts what came of a stream's pull. */
export function countPulled(counts: Counts, pulled: Pulled): void {
  if (pulled.kind === "busy") count(counts, "skipped_busy");
  if (pulled.kind !== "merged") return;
  count(counts, "merged");
  if (pulled.conflicts > 0) count(counts, "conflicts", pulled.conflicts);
}

/** Whether a failure may be the server's state, and not what was asked of it. */
export function isAway({ kind }: Failed): boolean {
  return kind === "transient" || kind === "ambiguous" || kind === "misconfigured";
}

/** Has the breaker hear of a failed call, where it may be the server's state; passes the failure on. */
export async function heard(deps: Deps, failure: Failure): Promise<Extract<Outcome, { kind: "failed" }>> {
  if (isAway(failure)) await recordFailure(deps, failure);
  return { kind: "failed", failure };
}

/** What a stream's failure means for the others: MLflow being away ends it; else the next look tries again. */
export function passed(deps: Deps, counts: Counts, failure: Failed, streamId: number): Outcome {
  if (isAway(failure)) return { kind: "failed", failure };
  deps.log.warn("a run could not be followed", { stream: streamId, error: failure.message });
  count(counts, "failed");
  return { kind: "done" };
}
