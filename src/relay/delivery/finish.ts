import type { Core } from "../../domain/core.ts";
import { isNewsTo, runStateOf } from "../../domain/run-state.ts";
import { CONTACT_TAG, contactOf, STATUS_TAG } from "../../mlflow/tags.ts";
import { agree, readTagsToDelete } from "../../store/delivery/agreed.ts";
import { mirrorState } from "../../store/delivery/own-runs.ts";
import { readSentState, type SentState } from "../../store/stream/columns.ts";
import { stop } from "../stream/stop.ts";
import { proceed, type Step, type Turn } from "../stream/turn.ts";

/**
 * Brings the run's status, end time and name up to date, after the last metric batch. Going back to RUNNING takes
 * an explicit resume: a trial that merely runs leaves the status that its adopted run has.
 */
export async function finish(turn: Turn, runId: string, core: Core): Promise<Step> {
  const sent = readSentState(turn.stream.sentState);
  if (!sent || !isNewsTo(sent, core)) return proceed;
  const wanted = runStateOf(core);
  const { db, now } = turn.deps;
  const { statusTag, lostContactAt } = wanted;
  if (statusTag !== sent.statusTag) {
    const tagged = await tag(turn, { statusTag }, { runId, key: STATUS_TAG, value: statusTag });
    if (!tagged.ok) return tagged;
  }
  if (lostContactAt !== sent.lostContactAt) {
    const value = contactOf(lostContactAt);
    const tagged = await tag(turn, { lostContactAt }, { runId, key: CONTACT_TAG, value });
    if (!tagged.ok) return tagged;
  }
  const runName = wanted.runName ?? sent.runName;
  const { status, endTime } = wanted;
  const updated = await turn.write({ call: "runs/update", state: { status, endTime, runName } }, (mlflow) =>
    mlflow.updateRun({
      runId,
      status,
      ...(endTime === null ? {} : { endTime }),
      ...(runName === sent.runName ? {} : { runName }),
    }),
  );
  if (!updated.ok) return stop(turn, updated.failure);
  const state: SentState = { status, endTime, runName, statusTag, lostContactAt };
  const mirrored = { runId, status, endTime: updated.value.endTime };
  const isWritten = await turn.update({ sentState: JSON.stringify(state) }, [
    mirrorState(db, turn.lease, mirrored, runName, now()),
  ]);
  return isWritten ? proceed : stop(turn, null);
}

/** Sets one of the relay's own tags, or takes it away, and writes down that part of the state that it tells. */
async function tag(
  turn: Turn,
  state: Partial<SentState>,
  { runId, key, value }: { runId: string; key: string; value: string | null },
): Promise<Step> {
  const done =
    value === null
      ? await turn.write({ call: "runs/delete-tag", state }, (mlflow) => mlflow.deleteTag({ runId, key }))
      : await turn.write({ call: "runs/set-tag", state }, (mlflow) => mlflow.setTag({ runId, key, value }));
  if (!done.ok && done.failure?.kind !== "missing") return stop(turn, done.failure);
  const sent = { ...readSentState(turn.stream.sentState), ...state };
  return (await turn.update({ sentState: JSON.stringify(sent) })) ? proceed : stop(turn, null);
}

/**
 * Takes tags away in MLflow that were taken away here, after the last batch, which may still have set one. What both
 * sides agreed on tells which are left to do, also after a turn that ended between.
 */
export async function untag(turn: Turn, runId: string): Promise<Step> {
  const { deps, lease, stream } = turn;
  // What the last batch set is agreed on as it is forgotten.
  if (turn.sent !== null && !(await turn.update({}))) return stop(turn, null);
  for (const key of await readTagsToDelete(deps.db, stream.id)) {
    if (turn.exhausted) return { ok: false, end: { kind: "more" } };
    const deleted = await turn.write({ call: "runs/delete-tag", untag: key }, (mlflow) =>
      mlflow.deleteTag({ runId, key }),
    );
    // A tag that is not there is what was wanted.
    if (!deleted.ok && deleted.failure?.kind !== "missing") return stop(turn, deleted.failure);
    await agree(deps.db, lease, { tags: new Map([[key, null]]), params: new Map() });
  }
  return proceed;
}
