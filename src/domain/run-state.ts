import { type Core, endOf, fieldOf } from "./fold.ts";
import { lostContactAt, statusOf } from "./status.ts";
import type { TrialStatus } from "./types.ts";

/** A run's own state as MLflow should show it. `statusTag` keeps the status that MLflow has no word for. */
export type RunState = {
  status: "RUNNING" | "FINISHED" | "FAILED" | "KILLED";
  endTime: number | null;
  runName: string | null;
  statusTag: TrialStatus | null;
  lostContactAt: number | null;
};

/** The word that MLflow has for each status. */
export const MLFLOW_STATUS = {
  running: "RUNNING",
  succeeded: "FINISHED",
  failed: "FAILED",
  skipped: "KILLED",
  cancelled: "KILLED",
} as const;

/** What the fold means for the MLflow run. `runName` is null when the trainer gave none. */
export function runStateOf(core: Core): RunState {
  const status = statusOf(core.lifecycle);
  const runName = fieldOf(core, "run_name");
  return {
    status: MLFLOW_STATUS[status],
    endTime: endOf(core),
    runName: typeof runName === "string" ? runName : null,
    statusTag: MLFLOW_STATUS[status] === "KILLED" ? status : null,
    lostContactAt: lostContactAt(core.lifecycle),
  };
}
