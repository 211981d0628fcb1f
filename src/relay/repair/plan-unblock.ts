import type { Block } from "../../domain/blocked.ts";
import { textOf } from "../../domain/core.ts";
import type { Result } from "../../mlflow/failure.ts";
import type { Experiment, Run } from "../../mlflow/types.ts";
import { countHeldUp, isForgotten } from "../../store/delivery/blocked.ts";
import { coreOf, modelRunStream } from "../../store/delivery/parents.ts";
import { experimentOfClientsRun } from "../../store/gateway/experiments.ts";
import { hasRefusedRun } from "../../store/mirror/conflicts.ts";
import { experimentNamed } from "../../store/mirror/experiments.ts";
import { readCore } from "../../store/stream/core-column.ts";
import type { Turn } from "../stream/turn.ts";
import type { Change, UnblockAction, Unblocked } from "./changes.ts";

/** What is to be done, or why nothing can be. */
type UnblockPlan = { changes: Change[] } | Exclude<Unblocked, { kind: "done" }>;

const UNREADABLE =
  "The relay cannot read what it holds of it, so another run would get no more of it; restore tries again.";

/** Looks at what MLflow has, and says what an action takes. Changes nothing. */
export async function planUnblock(turn: Turn, action: UnblockAction): Promise<UnblockPlan> {
  // Nothing of it is to be asked of MLflow: what it needs is a relay that can read it.
  const isUnreadable = turn.stream.blockedKind === "unreadable";
  switch (action) {
    case "restore":
      return isUnreadable ? { changes: [{ change: "deliver" }] } : restore(turn);
    case "recreate":
      return isUnreadable ? { kind: "refused", detail: UNREADABLE } : recreate(turn);
    case "forget":
      return isForgotten(turn.stream)
        ? { kind: "refused", detail: "It is forgotten already." }
        : { changes: [{ change: "forget" }] };
  }
}

/**
 * What blocks a stream that has nothing left to deliver, or has not tried yet: that MLflow has not its run any more. Null
 * where it does.
 */
export async function lostRun(
  turn: Turn,
): Promise<{ block: Block | null } | Exclude<Unblocked, { kind: "done" }>> {
  const { mlflowRunId: on } = turn.stream;
  const run = await existing(turn, on, (id) => turn.deps.mlflow.getRun(id));
  if (!run.ok) return unreachable(run);
  if (on === null || run.value?.info.lifecycleStage === "active") return { block: null };
  const what = run.value === null ? "does not exist" : "is deleted";
  return { block: { kind: "gone_run", on, reason: `gone: MLflow run ${on} ${what}` } };
}

/** Brings back what was deleted in MLflow, and goes on with it. */
async function restore(turn: Turn): Promise<UnblockPlan> {
  const { runId } = await namedRun(turn);
  const run = await existing(turn, runId, (id) => turn.deps.mlflow.getRun(id));
  if (!run.ok) return unreachable(run);
  if (runId !== null && run.value === null)
    return {
      kind: "refused",
      detail: `MLflow run ${runId} does not exist, so it cannot be restored; recreate makes another one.`,
    };
  const experiment = await (run.value
    ? existing(turn, run.value.info.experimentId, (id) => turn.deps.mlflow.getExperiment(id))
    : ownExperiment(turn));
  if (!experiment.ok) return unreachable(experiment);
  return {
    changes: [
      ...(await restoring(turn, experiment.value)),
      ...(run.value?.info.lifecycleStage === "deleted" && runId !== null
        ? [{ change: "restore_run" as const, run_id: runId }]
        : []),
      { change: "deliver" },
    ],
  };
}

/** Leaves the deleted run as it is, and delivers the whole journal to a new one. */
async function recreate(turn: Turn): Promise<UnblockPlan> {
  const { runId, isRequested } = await namedRun(turn);
  if (turn.stream.prunedAt !== null)
    return {
      kind: "refused",
      detail:
        "Its points were pruned here, because MLflow was seen to have them; only restore brings them back.",
    };
  const run = await existing(turn, runId, (id) => turn.deps.mlflow.getRun(id));
  if (!run.ok) return unreachable(run);
  const experiment = await ownExperiment(turn);
  if (!experiment.ok) return unreachable(experiment);
  if (run.value?.info.lifecycleStage === "active")
    return { kind: "refused", detail: `MLflow run ${runId} is not deleted; restore goes on with it.` };
  if (
    experiment.value?.lifecycleStage === "deleted" &&
    run.value?.info.experimentId === experiment.value.experimentId
  )
    return {
      kind: "refused",
      detail: `Experiment "${experiment.value.name}" is deleted in MLflow with run ${runId} in it. Restoring it brings the run back as well, so restore is what is wanted.`,
    };
  return {
    changes: [
      ...(await restoring(turn, experiment.value)),
      ...(isRequested && runId !== null ? [{ change: "refuse_run" as const, run_id: runId }] : []),
      { change: "new_run", instead_of: turn.stream.mlflowRunId },
      { change: "deliver" },
    ],
  };
}

async function restoring(turn: Turn, experiment: Experiment | null): Promise<Change[]> {
  if (experiment?.lifecycleStage !== "deleted") return [];
  const { experimentId, name } = experiment;
  const held = { streamId: turn.stream.id, experimentId, name };
  const others = await countHeldUp(turn.deps.db, held);
  return [{ change: "restore_experiment", experiment_id: experimentId, name, also_frees: others }];
}

/** The run that the stream has, or that its trainer asked for and it did not get yet. */
async function namedRun(turn: Turn): Promise<{ runId: string | null; isRequested: boolean }> {
  const { stream, deps } = turn;
  const asked = textOf(readCore(await coreOf(deps.db, stream)), "mlflow_run_id");
  const requested = asked !== null && (await hasRefusedRun(deps.db, stream.id, asked)) ? null : asked;
  const runId = stream.mlflowRunId ?? (stream.createSentAt === null ? requested : null);
  return { runId, isRequested: runId !== null && runId === requested };
}

/** The experiment in which delivery would make the stream's run. */
async function ownExperiment(turn: Turn) {
  const { stream, deps } = turn;
  const clients = await experimentOfClientsRun(deps.db, stream.id);
  if (clients !== null) {
    const { mlflowExperimentId: known } = clients;
    const there = await existing(turn, known, (id) => deps.mlflow.getExperiment(id));
    if (!there.ok || there.value !== null) return there;
    return existing(turn, clients.name, (name) => deps.mlflow.getExperimentByName(name));
  }
  const own = textOf(readCore(await coreOf(deps.db, stream)), "experiment_name");
  const parent = stream.modelRunId === null ? null : await modelRunStream(deps.db, stream.modelRunId);
  const isNested = own === null && parent !== null && deps.config.parentRuns && !isForgotten(parent.stream);
  const home = isNested ? parent.stream.mlflowExperimentId : null;
  if (home !== null) return existing(turn, home, (known) => deps.mlflow.getExperiment(known));
  const name = own ?? parent?.experimentName ?? deps.config.defaultExperiment;
  const named = await existing(turn, name, (known) => deps.mlflow.getExperimentByName(known));
  if (!named.ok || named.value !== null) return named;
  const renamed = await experimentNamed(deps.db, name);
  return existing(turn, renamed, (known) => deps.mlflow.getExperiment(known));
}

type Found<T> = { ok: true; value: T | null } | { ok: false; detail: string };

/** What MLflow has under this id or name; null where it has nothing. */
async function existing<T extends Run | Experiment>(
  turn: Turn,
  id: string | null,
  read: (id: string) => Promise<Result<T>>,
): Promise<Found<T>> {
  if (id === null) return { ok: true, value: null };
  const found = await turn.call(() => read(id));
  if (found.ok) return found;
  const kind = found.failure?.kind;
  if (kind === "gone" || kind === "missing") return { ok: true, value: null };
  return { ok: false, detail: found.failure?.message ?? "the lease was lost" };
}

function unreachable({ detail }: { detail: string }): Exclude<Unblocked, { kind: "done" }> {
  return { kind: "later", detail: `MLflow cannot be asked just now: ${detail}.` };
}
