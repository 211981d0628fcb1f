import type { Failure } from "../../mlflow/failure.ts";
import { isTaggedAs } from "../../mlflow/tags.ts";
import type { Run } from "../../mlflow/types.ts";
import { nameOfExperiment } from "../../store/mirror/experiments.ts";
import { link } from "../delivery/adopt.ts";
import { mirrorExperiment } from "../delivery/experiment.ts";
import { lookAtTagged } from "../delivery/tagged-run.ts";
import type { Deps } from "../deps.ts";
import type { Turn } from "../stream/turn.ts";
import { underLease } from "../stream/under-lease.ts";

export type LinkFound =
  | { kind: "linked"; run: Run }
  /** Another turn has the stream. */
  | { kind: "busy" }
  /** It has a run, or may have one soon, or this one is not its own any more, as `lookAtTagged` saw. */
  | { kind: "not needed" }
  | { kind: "failed"; failure: Failure };

/** Links a run that was found by its tags to its stream, under the stream's lease. The stream is poked if it is behind. */
export async function linkFound(deps: Deps, streamId: number, runId: string): Promise<LinkFound> {
  return underLease<LinkFound>(
    deps,
    streamId,
    () => ({ kind: "busy" }),
    async (turn) => {
      if (turn.stream.mlflowRunId !== null || turn.stream.createSentAt !== null)
        return { kind: "not needed" };
      const read = () => turn.call(() => turn.deps.mlflow.getRun(runId));
      const found = await lookAtTagged(deps, runId, turn.stream, read);
      if (!found.ok) return stopped(found.failure);
      const run = found.value;
      if (run === null) return { kind: "not needed" };
      const name = await nameOf(turn, run.info.experimentId);
      if (!name.ok) return stopped(name.failure);
      if (!(await turn.update({ experimentName: name.value }))) return { kind: "busy" };
      const linked = await link(turn, run, run.info.runName ?? runId, true);
      return linked.ok ? { kind: "linked", run } : { kind: "busy" };
    },
  );
}

/** Deletes a second run of a stream in MLflow, which can restore it; a failure is handed back. */
export async function deleteDouble(
  deps: Deps,
  streamId: number,
  linkedRunId: string,
  runId: string,
): Promise<"deleted" | "busy" | Failure> {
  return underLease<"deleted" | "busy" | Failure>(
    deps,
    streamId,
    () => "busy",
    async (turn) => (turn.stream.mlflowRunId === linkedRunId ? deleted(turn, runId) : "busy"),
  );
}

/**
 * The same where nobody has looked at the two: only a run that was made twice is deleted, which holds no parameter and
 * no metric that the linked run lacks. Another one is left as it is.
 */
export async function deleteSpare(
  deps: Deps,
  streamId: number,
  linkedRunId: string,
  runId: string,
): Promise<"deleted" | "left" | "busy" | Failure> {
  return underLease<"deleted" | "left" | "busy" | Failure>(
    deps,
    streamId,
    () => "busy",
    async (turn) => {
      if (turn.stream.mlflowRunId !== linkedRunId) return "busy";
      const linked = await turn.call(() => turn.deps.mlflow.getRun(linkedRunId));
      if (!linked.ok) return linked.failure ?? "busy";
      const other = await turn.call(() => turn.deps.mlflow.getRun(runId));
      if (!other.ok) return other.failure ?? "busy";
      const isSpare =
        linked.value.info.lifecycleStage === "active" &&
        isTaggedAs(other.value, turn.stream) &&
        addsNothing(other.value, linked.value);
      return isSpare ? deleted(turn, runId) : "left";
    },
  );
}

function addsNothing({ data }: Run, linked: Run): boolean {
  const params = new Set(linked.data.params.map(({ key }) => key));
  const metrics = new Set(linked.data.metrics.map(({ key }) => key));
  return data.params.every(({ key }) => params.has(key)) && data.metrics.every(({ key }) => metrics.has(key));
}

async function deleted(turn: Turn, runId: string): Promise<"deleted" | "busy" | Failure> {
  const { deps, stream } = turn;
  const gone = await turn.write({ call: "runs/delete" }, (mlflow) => mlflow.deleteRun(runId));
  if (!gone.ok && gone.failure?.kind !== "gone") return gone.failure ?? "busy";
  deps.log.warn("a second run of one trial was deleted", { trial_id: stream.trialId, run: runId });
  return "deleted";
}

/** The name of an experiment: known, else asked for. */
async function nameOf(turn: Turn, experimentId: string) {
  const known = await nameOfExperiment(turn.deps.db, experimentId);
  if (known !== null) return { ok: true, value: known } as const;
  const found = await turn.call(() => turn.deps.mlflow.getExperiment(experimentId));
  if (!found.ok) return found;
  await mirrorExperiment(turn, found.value);
  return { ok: true, value: found.value.name } as const;
}

function stopped(failure: Failure | null): LinkFound {
  if (failure === null) return { kind: "busy" };
  return failure.kind === "gone" ? { kind: "not needed" } : { kind: "failed", failure };
}
