import { type Core, endOf, textOf } from "./core.ts";
import { MLFLOW_STATUS } from "./run-register.ts";
import { lostContactAt, statusOf } from "./status.ts";
import type { TrialStatus } from "./types.ts";
import type { RunStatus } from "./words.ts";

/** A run's own state as MLflow should show it. `statusTag` keeps the status that MLflow has no word for. */
export type RunState = {
  status: RunStatus;
  endTime: number | null;
  runName: string | null;
  statusTag: TrialStatus | null;
  lostContactAt: number | null;
};

/**
 * Whether the relay may bring an ended run back to RUNNING: after an explicit resume, or when a trial that it closed as
 * quiet speaks again. A trial that merely runs leaves the status that its adopted run has.
 */
export function mayReopen({ lifecycle: { reset, quiet } }: Core): boolean {
  return reset !== null || (quiet !== null && quiet.as !== "left");
}

/** What the fold means for the MLflow run. `runName` is null when the trainer gave none. */
export function runStateOf(core: Core): RunState {
  const status = statusOf(core.lifecycle);
  const runName = textOf(core, "run_name");
  if (core.run)
    return {
      status: core.run.status,
      endTime: core.run.endTime,
      runName,
      // A client of MLflow knows of no more than MLflow's own words.
      statusTag: core.run.status === "KILLED" && status === "skipped" ? status : null,
      lostContactAt: lostContactAt(core.lifecycle),
    };
  return {
    status: MLFLOW_STATUS[status],
    endTime: endOf(core),
    runName,
    statusTag: MLFLOW_STATUS[status] === "KILLED" ? status : null,
    lostContactAt: lostContactAt(core.lifecycle),
  };
}

/** The same as MLflow has it; `statusTag` is what the tag says there. */
type Sent = Omit<RunState, "statusTag"> & { statusTag: string | null };

/** Whether the run's own state is to be told to MLflow, which has it as it was sent last. */
export function isNewsTo(sent: Sent, core: Core): boolean {
  const wanted = runStateOf(core);
  if (wanted.status === "RUNNING" && sent.status !== "RUNNING" && !mayReopen(core)) return false;
  return !isSame(sent, wanted);
}

function isSame(sent: Sent, wanted: RunState): boolean {
  return (
    sent.status === wanted.status &&
    sent.endTime === wanted.endTime &&
    sent.statusTag === wanted.statusTag &&
    sent.lostContactAt === wanted.lostContactAt &&
    (wanted.runName === null || sent.runName === wanted.runName)
  );
}
