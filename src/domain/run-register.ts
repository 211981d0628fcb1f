import { endedAt, isGateways, type Lifecycle, statusOf } from "./status.ts";
import type { StoredEvent } from "./types.ts";
import type { RunStatus } from "./words.ts";

/**
 * MLflow's own state of a run that its client keeps by itself: it may be scheduled, end without a time, and go on with
 * the end that it had. Each field stands until the next word on it, in order of acceptance. Times in epoch milliseconds.
 */
export type RunRegister = {
  status: RunStatus;
  startTime: number | null;
  endTime: number | null;
};

/** The word that MLflow has for each status. */
export const MLFLOW_STATUS = {
  running: "RUNNING",
  succeeded: "FINISHED",
  failed: "FAILED",
  skipped: "KILLED",
  cancelled: "KILLED",
} as const;

/** And the other way round; a run that is only scheduled has not ended. */
export const TRIAL_STATUS = {
  RUNNING: null,
  SCHEDULED: null,
  FINISHED: "succeeded",
  FAILED: "failed",
  KILLED: "cancelled",
} as const;

/**
 * The register after one more event; null where no client of MLflow has said anything of the run's state. What others say
 * of the status, as an edit in MLflow or a trainer's event, is taken up where it changes it.
 */
export function registerWith(
  known: RunRegister | null,
  event: StoredEvent,
  before: Lifecycle,
  after: Lifecycle,
): RunRegister | null {
  const said = event.facts?.run;
  if (said) return { ...(known ?? fromLifecycle(before)), ...said };
  if (!known || isGateways(event)) return known;
  const isAsBefore = statusOf(before) === statusOf(after) && endedAt(before) === endedAt(after);
  if (isAsBefore) return known;
  const { status, endTime } = fromLifecycle(after);
  return { ...known, status, endTime: endTime ?? known.endTime };
}

function fromLifecycle(lifecycle: Lifecycle): RunRegister {
  const status = MLFLOW_STATUS[statusOf(lifecycle)];
  return { status, startTime: null, endTime: endedAt(lifecycle) };
}
