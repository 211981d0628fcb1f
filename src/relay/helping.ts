import { errorText } from "../log.ts";
import { type Failure, isAway } from "../mlflow/failure.ts";
import { recordFailure } from "./breaker.ts";
import type { Deps } from "./deps.ts";
import type { Counts } from "./job-step.ts";
import type { Pulled } from "./pull.ts";

/**
 * What is left of a helping: statements, of which an invocation has a thousand (D1's limit, those in batches included),
 * and time. `handled`: the runs of this page that had their turn, whatever came of it; they get no second one.
 * `isFresh`: none had its turn yet.
 */
export type Helping = { statements: number; untilMs: number; handled: Set<string>; isFresh: boolean };

/** At most so many statements each takes, counted on the worst of its ways. */
export const COST = {
  /** A page of runs: its pace, the mirror read and written, tags looked up, and what was merged noted. */
  page: 10,
  /** Whether a stream's run says anything new: the two sides, in one batch, and whether a conflict is known. */
  look: 7,
  /** A merge that accepts something and meets a conflict: lease, call, two folds, the journal, the agreement, the mirror. */
  merge: 56,
  /** Linking a run under the lease, and its first merge. */
  link: 80,
  /** A second run reported and, by policy, deleted. */
  double: 20,
  /** Asking whether what a blocked stream needs is there again. */
  ask: 3,
};

export type Failed = Pick<Failure, "kind" | "message">;

/** @param statements what the invocation has left for it */
export function newHelping(statements: number, untilMs: number): Helping {
  return { statements, untilMs, handled: new Set(), isFresh: true };
}

/** What came of some runs. `more`: the helping was used up before they were. */
export type Outcome = { kind: "done" | "more" } | { kind: "failed"; failure: Failed };

/** Whether the helping has room for so many statements, which then count. The first run always gets its turn. */
export function takes(helping: Helping, now: number, statements: number): boolean {
  if (!helping.isFresh && (now >= helping.untilMs || helping.statements < statements)) return false;
  helping.statements -= statements;
  return true;
}

/** Notes that a run had its turn. */
export function handle(helping: Helping, runId: string): void {
  helping.handled.add(runId);
  helping.isFresh = false;
}

/** Whether another page may be begun, which then counts. */
export function takesPage(helping: Helping, now: number): boolean {
  if (now >= helping.untilMs || helping.statements < COST.page) return false;
  helping.statements -= COST.page;
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

/** Has the breaker hear of a failed call, where it may be the server's state; passes the failure on. */
export async function heard(deps: Deps, failure: Failure): Promise<Extract<Outcome, { kind: "failed" }>> {
  if (isAway(failure)) await recordFailure(deps, failure);
  return { kind: "failed", failure };
}

/**
 * What a stream's failure means for the others: MLflow being away ends the helping. Either way the next look tries
 * again, and the next helping begins with another stream, so that a run that always fails holds nobody up.
 */
export function passed(deps: Deps, counts: Counts, failure: Failed, streamId: number): Outcome {
  deps.log.warn("a run could not be followed", { stream: streamId, error: failure.message });
  count(counts, "failed");
  return isAway(failure) ? { kind: "failed", failure } : { kind: "done" };
}

/** The same for what failed in the relay itself, such as its database: the others go on. */
export function threw(deps: Deps, counts: Counts, error: unknown, streamId: number): Outcome {
  deps.log.error("a run could not be followed", { stream: streamId, error: errorText(error) });
  count(counts, "failed");
  return { kind: "done" };
}
