import type { Core } from "../domain/fold.ts";
import { runStateOf } from "../domain/run-state.ts";
import { tagsToSend } from "../store/agreed.ts";
import { readSentState } from "../store/columns.ts";
import { mergeRun } from "./merge-run.ts";
import type { Step, Turn } from "./turn.ts";

/**
 * Looks at the run and merges before anything is sent, where what is sent could wipe out an edit made in MLflow that
 * no pull has seen yet. A trial's own course (new tags, its end) under the policy `relay` needs no look: the relay's
 * word would stand anyway, and a call a trial would be spent on it.
 * @param isNew whether the run was linked in this very turn
 * @returns whether it merged, and with that folded what has come meanwhile
 */
export async function lookFirst(
  turn: Turn,
  core: Core,
  runId: string,
  isNew: boolean,
): Promise<Step<boolean>> {
  if (!(isNew ? turn.stream.adopted : await mayOverwrite(turn, core))) return { ok: true, value: false };
  const run = await turn.call(() => turn.deps.mlflow.getRun(runId));
  if (!run.ok) return turn.stop(run.failure);
  // Writing to a deleted run is refused, and that says why.
  if (run.value.info.lifecycleStage === "deleted") return { ok: true, value: false };
  const merged = await mergeRun(turn, run.value);
  return merged.ok ? { ok: true, value: true } : merged;
}

async function mayOverwrite({ stream, deps }: Turn, core: Core): Promise<boolean> {
  const sent = readSentState(stream.sentState);
  if (!sent) return false;
  const { status, runName } = runStateOf(core);
  const { merge } = deps.config;
  if (runName !== null && runName !== sent.runName) return true;
  if (merge.status !== "relay" && status !== sent.status) return true;
  const tags = await tagsToSend(deps.db, stream);
  return tags.overwriting || (tags.some && (merge.tag !== "relay" || merge.description !== "relay"));
}
