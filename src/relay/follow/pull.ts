import { type Counts, count } from "../../domain/counts.ts";
import type { Failure } from "../../mlflow/failure.ts";
import type { Run } from "../../mlflow/types.ts";
import { runIdOf } from "../../store/delivery/parents.ts";
import { mirrorRuns } from "../../store/mirror/runs.ts";
import type { Deps } from "../deps.ts";
import { mergeRun } from "../merge/merge-run.ts";
import { RETRY_SOON_MS, type Turn } from "../stream/turn.ts";
import { underLease } from "../stream/under-lease.ts";
import { streamsWithNews } from "./news.ts";

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
  const runId = await runIdOf(deps.db, streamId);
  if (runId === null) return { kind: "no run" };
  if (seen && (await streamsWithNews(deps, [{ streamId, run: seen }])).size === 0) return { kind: "same" };
  return underLease<Pulled>(
    deps,
    streamId,
    (claim) => (claim.kind === "busy" ? { kind: "busy", ms: claim.ms } : { kind: "no run" }),
    (turn) => merged(turn, runId),
  );
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

/** Counts what came of a pull, and says whether nothing is left to do. */
export function countPulled(
  { log }: Pick<Deps, "log">,
  counts: Counts,
  pulled: Pulled,
  streamId: number,
): boolean {
  switch (pulled.kind) {
    case "busy":
      count(counts, "skipped_busy");
      return false;
    case "failed":
      log.warn("a run could not be followed", { stream: streamId, error: pulled.failure.message });
      count(counts, "failed");
      return false;
    case "merged":
      count(counts, "merged");
      if (pulled.conflicts > 0) count(counts, "conflicts", pulled.conflicts);
      return true;
    default:
      return true;
  }
}
