import { errorText } from "../../log.ts";
import { type Failure, isAway } from "../../mlflow/failure.ts";
import { isOutOfStatements } from "../../store/database/budget.ts";
import type { Deps } from "../deps.ts";
import { RUN_STATEMENTS } from "../stream/under-lease.ts";
import type { Pulled } from "./pull.ts";

/** How much of what a helping or a job has done, by name. */
export type Counts = Record<string, number>;

/**
 * What is left of a helping, beside statements: time. `handled`: the runs of this page that had their turn, whatever came
 * of it; they get no second one. `isFresh`: none had its turn yet.
 */
export type Helping = { untilMs: number; handled: Set<string>; isFresh: boolean };

export type Failed = Pick<Failure, "kind" | "message">;

/** A helping that ends at a time, epoch milliseconds. */
export function newHelping(untilMs: number): Helping {
  return { untilMs, handled: new Set(), isFresh: true };
}

/** What came of some runs. `more`: the helping was used up before they were. */
export type HelpingOutcome = { kind: "done" | "more" } | { kind: "failed"; failure: Failed };

/** Whether another run may have its turn. The first one always gets it. */
export function takes(deps: Pick<Deps, "budget" | "now">, helping: Helping): boolean {
  return helping.isFresh || takesPage(deps, helping);
}

/** Notes that a run had its turn. */
export function handle(helping: Helping, runId: string): void {
  helping.handled.add(runId);
  helping.isFresh = false;
}

/** Whether another page may be begun. */
export function takesPage({ budget, now }: Pick<Deps, "budget" | "now">, helping: Helping): boolean {
  return now() < helping.untilMs && budget.has(RUN_STATEMENTS);
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

/**
 * What a stream's failure means for the others: MLflow being away ends the helping. Either way the next look tries
 * again, and the next helping begins with another stream, so that a run that always fails holds nobody up.
 */
export function passed(deps: Deps, counts: Counts, failure: Failed, streamId: number): HelpingOutcome {
  deps.log.warn("a run could not be followed", { stream: streamId, error: failure.message });
  count(counts, "failed");
  return isAway(failure) ? { kind: "failed", failure } : { kind: "done" };
}

/**
 * The same for what failed in the relay itself, such as its database: the others go on. Where the statements were used
 * up the run has its turn in the next helping; not if it had all of this one, or it would hold the others up for good.
 */
export function threw(
  deps: Deps,
  helping: Helping,
  counts: Counts,
  error: unknown,
  streamId: number,
): HelpingOutcome {
  if (isOutOfStatements(error) && !helping.isFresh) return { kind: "more" };
  deps.log.error("a run could not be followed", { stream: streamId, error: errorText(error) });
  count(counts, "failed");
  return { kind: "done" };
}
