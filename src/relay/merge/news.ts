import type { Core } from "../../domain/fold.ts";
import { mayReopen, type RunState, runStateOf } from "../../domain/run-state.ts";
import type { SentState } from "../../store/stream/columns.ts";

/** Whether the run's own state is to be told to MLflow, which has it as it was sent last. */
export function isNewsTo(sent: SentState, core: Core): boolean {
  const wanted = runStateOf(core);
  if (wanted.status === "RUNNING" && sent.status !== "RUNNING" && !mayReopen(core)) return false;
  return !isSame(sent, wanted);
}

function isSame(sent: SentState, wanted: RunState): boolean {
  return (
    sent.status === wanted.status &&
    sent.endTime === wanted.endTime &&
    sent.statusTag === wanted.statusTag &&
    sent.lostContactAt === wanted.lostContactAt &&
    (wanted.runName === null || sent.runName === wanted.runName)
  );
}
