import { isNothing } from "../domain/merge.ts";
import type { Failure } from "../mlflow/failure.ts";
import type { Run } from "../mlflow/types.ts";
import { readSides, type StoredSides } from "../store/agreed.ts";
import { hasUnanswered } from "../store/batches.ts";
import { claim } from "../store/leases.ts";
import { mirrorRuns } from "../store/mirror.ts";
import type { Deps } from "./deps.ts";
import { letGo } from "./let-go.ts";
import { mergeOf, mergeRun } from "./merge-run.ts";
import { agreedTags, sentAfter } from "./run-sides.ts";
import { leaseMs, RETRY_SOON_MS, Turn } from "./turn.ts";

/** What came of looking at a stream's run in MLflow. */
export type Pulled =
  /** Both sides say the same, or the relay has news that delivery brings. */
  | { kind: "same" }
  /** Changes made in MLflow were accepted, or met changes here. */
  | { kind: "merged"; accepted: number; conflicts: number }
  | { kind: "no run" }
  /** MLflow does not know the run any more. */
  | { kind: "gone"; runId: string }
  /** Another turn has the stream, for at most so long. */
  | { kind: "busy"; ms: number }
  | { kind: "failed"; failure: Pick<Failure, "kind" | "message"> };

/**
 * Merges a stream's run in MLflow with what the relay has, three-way, under the stream's lease.
 * @param seen the run as a search has just shown it: where it says nothing new, no call is made
 */
export async function pullStream(deps: Deps, streamId: number, seen: Run | null): Promise<Pulled> {
  const stored = await readSides(deps.db, streamId);
  const runId = stored?.stream.mlflowRunId ?? null;
  if (!stored || runId === null) return { kind: "no run" };
  if (seen && !bringsNews(deps, stored, seen)) return { kind: "same" };
  // Beside delivery, whose places are not taken from it: there is one pull at a time.
  const most = Number.MAX_SAFE_INTEGER;
  const claimed = await claim(deps.db, streamId, leaseMs(deps.config.mlflow.timeoutMs), most);
  if (claimed.kind === "busy") return { kind: "busy", ms: claimed.ms };
  if (claimed.kind !== "claimed") return { kind: "no run" };
  const turn = new Turn(deps, claimed.lease, claimed.stream, false);
  try {
    // What may still land is neither side's word yet; delivery settles it first.
    if (await hasUnanswered(deps.db, streamId)) return { kind: "busy", ms: RETRY_SOON_MS };
    return await merged(turn, runId);
  } finally {
    await letGo(deps, claimed.lease, {});
  }
}

/** Whether a merge of the run would write anything down. Looks only. */
export async function hasNews(deps: Deps, streamId: number, seen: Run): Promise<boolean> {
  const stored = await readSides(deps.db, streamId);
  return stored !== null && bringsNews(deps, stored, seen);
}

function bringsNews(deps: Deps, stored: StoredSides, seen: Run): boolean {
  const { sides, merged } = mergeOf({ deps }, stored, seen);
  if (!isNothing(merged) || agreedTags(sides, merged).size > 0) return true;
  return JSON.stringify(sentAfter(stored.sent, sides, merged)) !== JSON.stringify(stored.sent);
}

/** What a search showed may be older than what was delivered since: the run is read again under the lease. */
async function merged(turn: Turn, runId: string): Promise<Pulled> {
  const { deps } = turn;
  const seenAt = deps.now();
  const run = await turn.call(() => deps.mlflow.getRun(runId));
  if (!run.ok) {
    if (run.failure === null) return { kind: "busy", ms: RETRY_SOON_MS };
    return run.failure.kind === "gone" || run.failure.kind === "missing"
      ? { kind: "gone", runId }
      : { kind: "failed", failure: run.failure };
  }
  const mirror = () => mirrorRuns(deps.db, [run.value], seenAt);
  // A deleted run is followed in the mirror; nothing of it is merged, since nobody can edit it.
  if (run.value.info.lifecycleStage === "deleted") {
    await mirror();
    return { kind: "same" };
  }
  const done = await mergeRun(turn, run.value);
  // The journal took nothing just now, or the lease was lost: nothing that MLflow did.
  if (!done.ok) return { kind: "busy", ms: done.end.kind === "wait" ? done.end.ms : RETRY_SOON_MS };
  // After the merge: what the mirror has seen counts as merged.
  await mirror();
  const { accepted, conflicts } = done.value;
  return accepted + conflicts === 0 ? { kind: "same" } : { kind: "merged", accepted, conflicts };
}
