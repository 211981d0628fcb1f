/**
 * Why a trial or model run stands still until somebody acts, or until what is in the way has passed.
 * - gone_experiment: the experiment that its run is to be in is deleted in MLflow; `on` is its name
 * - gone_run: its run, or the one that its trainer named, is deleted in MLflow or was never there; `on` is the run's id
 * - invalid, conflict, exists, missing: MLflow refuses what it is asked to do for it
 * - misconfigured: something between that is not MLflow, or credentials that MLflow does not take, for some minutes now
 * - forgotten: an operator has given it up, and nobody needs to look
 * - unreadable: the relay itself cannot read, plan or fold what it holds of it; `on` is what it was at. A newer relay may
 */
export const BLOCKED_KINDS = [
  "gone_experiment",
  "gone_run",
  "invalid",
  "conflict",
  "exists",
  "missing",
  "misconfigured",
  "forgotten",
  "unreadable",
] as const;
export type BlockedKind = (typeof BLOCKED_KINDS)[number];

/** What stands in the way, what it waits for where that has a name or an id, and the same in words for people. */
export type Block = { kind: BlockedKind; on: string | null; reason: string };

/** Those that end when what was deleted is there again. */
export const GONE_KINDS = ["gone_experiment", "gone_run"] as const satisfies readonly BlockedKind[];
export type GoneKind = (typeof GONE_KINDS)[number];

/** Those that may pass by themselves: the cron goes on trying, and what gets through is blocked no more. */
export const RETRIED_KINDS = [
  "invalid",
  "conflict",
  "exists",
  "missing",
  "misconfigured",
  "unreadable",
] as const satisfies readonly BlockedKind[];

/** Whether the cron goes on trying. */
export function isRetried(kind: BlockedKind): boolean {
  return RETRIED_KINDS.some((retried) => retried === kind);
}

/** Whether what it needs was deleted in MLflow. */
export function isGone(kind: BlockedKind): kind is GoneKind {
  return GONE_KINDS.some((gone) => gone === kind);
}
