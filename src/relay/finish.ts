import { eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Core } from "../domain/fold.ts";
import { type RunState, runStateOf } from "../domain/run-state.ts";
import { readSentState, type SentState } from "../store/columns.ts";
import { mlflowRuns } from "../store/schema.ts";
import { STATUS_TAG } from "./status-tag.ts";
import { proceed, type Step, type Turn } from "./turn.ts";

/** When a silent trainer was last heard. */
export const CONTACT_TAG = "relay.lost_contact";

/**
 * Brings the run's status, end time and name up to date, after the last metric batch. Going back to RUNNING takes
 * an explicit resume: a trial that merely runs leaves the status that its adopted run has.
 */
export async function finish(turn: Turn, runId: string, core: Core): Promise<Step> {
  const sent = readSentState(turn.stream.sentState);
  const wanted = runStateOf(core);
  if (!sent || isSame(sent, wanted)) return proceed;
  const mayRun = core.lifecycle.reset !== null || sent.lostContactAt !== null;
  if (wanted.status === "RUNNING" && sent.status !== "RUNNING" && !mayRun) return proceed;
  const { mlflow, db, now } = turn.deps;
  if (wanted.statusTag !== sent.statusTag) {
    const tagged = await tagStatus(turn, runId, wanted.statusTag);
    if (!tagged.ok && tagged.failure?.kind !== "missing") return turn.stop(tagged.failure);
  }
  if (wanted.lostContactAt !== sent.lostContactAt) {
    const tagged = await tagContact(turn, runId, wanted.lostContactAt);
    if (!tagged.ok && tagged.failure?.kind !== "missing") return turn.stop(tagged.failure);
  }
  const runName = wanted.runName ?? sent.runName;
  const updated = await turn.call(() =>
    mlflow.updateRun({
      runId,
      status: wanted.status,
      ...(wanted.endTime === null ? {} : { endTime: wanted.endTime }),
      ...(runName === sent.runName ? {} : { runName }),
    }),
  );
  if (!updated.ok) return turn.stop(updated.failure);
  const state: SentState = {
    status: wanted.status,
    endTime: wanted.endTime,
    runName,
    statusTag: wanted.statusTag,
    lostContactAt: wanted.lostContactAt,
  };
  if (!(await turn.update({ sentState: JSON.stringify(state) }))) return turn.stop(null);
  await drizzle(db)
    .update(mlflowRuns)
    .set({ status: wanted.status, endTime: updated.value.endTime, runName, syncedAt: now() })
    .where(eq(mlflowRuns.mlflowRunId, runId));
  return proceed;
}

/** Names the trial's own status, or takes the name of an earlier one away. */
function tagStatus(turn: Turn, runId: string, status: string | null) {
  const { mlflow } = turn.deps;
  if (status === null) return turn.call(() => mlflow.deleteTag({ runId, key: STATUS_TAG }));
  return turn.call(() => mlflow.setTag({ runId, key: STATUS_TAG, value: status }));
}

/** Says in MLflow since when the trainer is silent, or that it is heard again. */
function tagContact(turn: Turn, runId: string, lostContactAt: number | null) {
  const { mlflow } = turn.deps;
  if (lostContactAt === null) return turn.call(() => mlflow.deleteTag({ runId, key: CONTACT_TAG }));
  return turn.call(() =>
    mlflow.setTag({ runId, key: CONTACT_TAG, value: new Date(lostContactAt).toISOString() }),
  );
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
