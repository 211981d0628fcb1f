import { isNothing } from "../domain/merge.ts";
import type { Failure } from "../mlflow/failure.ts";
import type { Run } from "../mlflow/types.ts";
import { readSides } from "../store/agreed.ts";
import { claim } from "../store/leases.ts";
import { mirrorRuns } from "../store/mirror.ts";
import type { Deps } from "./deps.ts";
import { letGo } from "./let-go.ts";
import { mergeOf, mergeRun } from "./merge-run.ts";
import { leaseMs, Turn } from "./turn.ts";

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
  if (seen && isNothing(mergeOf({ deps }, stored, seen).merged)) return { kind: "same" };
  // Beside delivery, whose places are not taken from it: there is one pull at a time.
  const most = Number.MAX_SAFE_INTEGER;
  const claimed = await claim(deps.db, streamId, leaseMs(deps.config.mlflow.timeoutMs), most);
  if (claimed.kind === "busy") return { kind: "busy", ms: claimed.ms };
  if (claimed.kind !== "claimed") return { kind: "no run" };
  const turn = new Turn(deps, claimed.lease, claimed.stream, false);
  try {
    return await merged(turn, runId);
  } finally {
    await letGo(deps, claimed.lease, {});
  }
}

/** What a search showed may be older than what was delivered since: the run is read again under the lease. */
async function merged(turn: Turn, runId: string): Promise<Pulled> {
  const { deps } = turn;
  const seenAt = deps.now();
  const run = await turn.call(() => deps.mlflow.getRun(runId));
  if (!run.ok) {
    if (run.failure === null) return { kind: "busy", ms: 0 };
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
  if (!done.ok) {
    const message = done.end.kind === "wait" ? (done.end.error ?? "it has to wait") : "the lease was lost";
    return { kind: "failed", failure: { kind: "transient", message } };
  }
  // After the merge: what the mirror has seen counts as merged.
  await mirror();
  const { accepted, conflicts } = done.value;
  return accepted + conflicts === 0 ? { kind: "same" } : { kind: "merged", accepted, conflicts };
}
