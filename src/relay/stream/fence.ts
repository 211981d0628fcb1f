import { hasToken } from "../../mlflow/plan.ts";
import { CONTACT_TAG, contactOf, STATUS_TAG } from "../../mlflow/tags.ts";
import type { Run } from "../../mlflow/types.ts";
import { agree } from "../../store/delivery/agreed.ts";
import { agreeOnSeen, pendingBatches, removeBatch } from "../../store/delivery/batches.ts";
import { type Doubt, readDoubt, readSentState, type SentState } from "../../store/stream/columns.ts";
import { stop } from "./stop.ts";
import { proceed, type Step, type Turn, waitFree } from "./turn.ts";

/** How often MLflow is asked for a write that may still land: it may have landed. */
const POLL_MS = 2_000;

/**
 * Finds out what became of a write of which nobody heard the end, in an earlier turn or of a holder that died. Until
 * it can no longer land nothing else is to be written to or merged from the run, unless it is seen to have landed;
 * then what MLflow has is what both sides agree on.
 */
export async function clearDoubt(turn: Turn): Promise<Step> {
  const doubt = readDoubt(turn.stream.doubt);
  if (doubt === null) return proceed;
  const { stream, deps } = turn;
  const runId = stream.mlflowRunId;
  const leftMs = (stream.fenceUntil ?? 0) - deps.now();
  if (runId === null) return leftMs > 0 ? stillLands(doubt, leftMs) : cleared(turn);
  const run = await turn.call(() => deps.mlflow.getRun(runId));
  // What is not there cannot differ.
  if (!run.ok && run.failure?.kind === "gone") return leftMs > 0 ? stillLands(doubt, leftMs) : cleared(turn);
  if (!run.ok) return stop(turn, run.failure);
  const sent = readSentState(stream.sentState);
  const now = sent && { ...sent, ...seenOf(doubt, run.value) };
  if (leftMs > 0 && !hasLanded(doubt, run.value, sent)) return stillLands(doubt, Math.min(POLL_MS, leftMs));
  for (const batch of await pendingBatches(deps.db, stream.id)) {
    if (batch.attempts === 0) continue;
    if (!hasToken(run.value, batch.token)) await agreeOnSeen(deps.db, turn.lease, batch, run.value.data.tags);
    else if (!(await removeBatch(deps.db, turn.lease, batch))) return stop(turn, null);
  }
  const { untag } = doubt;
  // Not for the landing: somebody else may have taken it away before.
  if (untag !== undefined && tagOf(run.value, untag) === null)
    await agree(deps.db, turn.lease, { tags: new Map([[untag, null]]), params: new Map() });
  // Together: who takes it for cleared has to know what MLflow was seen to have.
  const over = { doubt: null, fenceUntil: null, ...(now ? { sentState: JSON.stringify(now) } : {}) };
  return (await turn.update(over)) ? proceed : stop(turn, null);
}

/** A write that may still land is waited for. */
export function stillLands({ call }: Pick<Doubt, "call">, ms: number): Extract<Step, { ok: false }> {
  return waitFree(ms, `${call} went unanswered and may still land`);
}

function cleared(turn: Turn): Step {
  turn.noDoubt();
  return proceed;
}

function tagOf({ data }: Run, key: string): string | null {
  return data.tags.find((tag) => tag.key === key)?.value ?? null;
}

/** The fields that the write sets and that the run shows as it sets them. */
function seenOf({ state }: Doubt, run: Run): Partial<SentState> {
  const { info } = run;
  const { status, endTime, runName, statusTag, lostContactAt } = state;
  const hasStatus = status !== undefined && info.status === status;
  return {
    ...(hasStatus ? { status } : {}),
    // A run that goes on keeps the end that it had.
    ...(hasStatus && endTime !== undefined && (endTime === null || endTime === info.endTime)
      ? { endTime }
      : {}),
    ...(runName !== undefined && info.runName === runName ? { runName } : {}),
    ...(statusTag !== undefined && tagOf(run, STATUS_TAG) === statusTag ? { statusTag } : {}),
    ...(lostContactAt !== undefined && tagOf(run, CONTACT_TAG) === contactOf(lostContactAt)
      ? { lostContactAt }
      : {}),
  };
}

/** Whether the run shows something that it could have from this write only. */
function hasLanded(doubt: Doubt, run: Run, sent: SentState | null): boolean {
  if (doubt.token !== null) return hasToken(run, doubt.token);
  const before = new Map<string, unknown>(Object.entries(sent ?? doubt.state));
  const news = Object.entries(doubt.state).filter(([field, value]) => before.get(field) !== value);
  const seen = new Map<string, unknown>(Object.entries(seenOf(doubt, run)));
  return news.length > 0 && news.every(([field, value]) => seen.get(field) === value);
}
