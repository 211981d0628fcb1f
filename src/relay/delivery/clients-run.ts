import { type Core, textOf } from "../../domain/core.ts";
import { RUN_ID_TAG } from "../../mlflow/tags.ts";
import { mirrorLifecycle } from "../../store/delivery/own-runs.ts";
import { forgetMlflows } from "../../store/gateway/change-experiment.ts";
import { type ClientsRun, clientsRun, hurryParent } from "../../store/gateway/delivery.ts";
import { experimentById } from "../../store/gateway/experiments.ts";
import { buryGhost } from "../../store/gateway/ghosts.ts";
import type { StreamRow } from "../../store/stream/leases.ts";
import { sendPokes } from "../queues.ts";
import { stop } from "../stream/stop.ts";
import { blocked, proceed, type Step, type Turn, waitFree } from "../stream/turn.ts";
import { deliverExperiment } from "./deliver-experiment.ts";
import { deletedExperiment, ensureKnownExperiment } from "./experiment.ts";
import { ensureRun } from "./run.ts";

/** A client that heard of its run uses it within so long. */
const UNTOUCHED_MS = 900_000;
/** How soon to come back for a run that it is nested under. */
const PARENT_POLL_MS = 1_000;
/** How soon where somebody has to act first. */
const BLOCKED_PARENT_POLL_MS = 60_000;
/** How soon where another is just bringing its experiment. */
const BUSY_MS = 1_000;

/** The run of an MLflow client; false where MLflow is never to hear of it. */
export async function clientsOwnRun(turn: Turn, core: Core): Promise<Step<boolean>> {
  const { deps, stream } = turn;
  if (stream.mlflowRunId !== null) return { ok: true, value: true };
  const client = await clientsRun(deps.db, stream.id);
  if (!client) throw new Error(`stream ${stream.key} is of an MLflow client that has no such run`);
  if (client.touchedAt === null) {
    const untouchedMs = client.createdAt + UNTOUCHED_MS - deps.now();
    if (untouchedMs > 0) return { ok: false, end: { kind: "wait", for: "grace", ms: untouchedMs } };
    // Nor does MLflow hear of what was deleted, with its experiment, before anybody used it.
    if (client.lifecycle === "deleted") return { ok: true, value: false };
    if (await buryGhost(deps.db, stream.id)) {
      deps.tally.add("relay_ghost_runs_total");
      return { ok: true, value: false };
    }
  }
  const above = await parentFirst(turn, client);
  if (!above.ok) return above;
  const experiment = await experimentById(deps.db, client.experimentId);
  const made = await ensureRun(turn, {
    experimentName: experiment?.name ?? deps.config.defaultExperiment,
    experimentId: () => clientsExperiment(turn, client.experimentId),
    runName: textOf(core, "run_name") ?? stream.key,
    startTime: core.run?.startTime ?? client.createdAt,
    user: textOf(core, "user") ?? "",
    tags: [{ key: RUN_ID_TAG, value: stream.key }, ...client.tagsOfCreate],
    requestedRunId: textOf(core, "mlflow_run_id"),
    foundRunId: null,
  });
  return made.ok ? { ok: true, value: true } : made;
}

/** Has the run that it is nested under go to MLflow first, which knows it by its own id. */
async function parentFirst({ deps, stream }: Turn, { parentId, isParentBlocked }: ClientsRun): Promise<Step> {
  if (parentId === null) return proceed;
  if (isParentBlocked) return { ok: false, end: { kind: "wait", for: "parent", ms: BLOCKED_PARENT_POLL_MS } };
  await hurryParent(deps.db, parentId, stream.forced);
  await sendPokes(deps, [{ streamId: parentId, urgent: true }]);
  return { ok: false, end: { kind: "wait", for: "parent", ms: PARENT_POLL_MS } };
}

/** Before anything is sent: the run above it is there, and one that was deleted or restored is active meanwhile. */
export async function reopen(turn: Turn, client: ClientsRun): Promise<Step> {
  const above = await parentFirst(turn, client);
  if (!above.ok) return above;
  const { mlflowRunId } = turn.stream;
  return client.isLifecycleTold && mlflowRunId !== null ? setLifecycle(turn, mlflowRunId, "active") : proceed;
}

/** Deletes the run, after all that was said of it is there. */
export async function closeDeleted(turn: Turn, { isLifecycleTold, lifecycle }: ClientsRun): Promise<Step> {
  const { mlflowRunId } = turn.stream;
  const isDue = isLifecycleTold && lifecycle === "deleted" && mlflowRunId !== null;
  return isDue ? setLifecycle(turn, mlflowRunId, "deleted") : proceed;
}

async function setLifecycle(
  turn: Turn,
  runId: NonNullable<StreamRow["mlflowRunId"]>,
  lifecycle: ClientsRun["lifecycle"],
): Promise<Step> {
  const done =
    lifecycle === "active"
      ? await turn.write({ call: "runs/restore" }, (mlflow) => mlflow.restoreRun(runId))
      : await turn.write({ call: "runs/delete" }, (mlflow) => mlflow.deleteRun(runId));
  if (!done.ok) return stop(turn, done.failure);
  const { deps, lease } = turn;
  return (await turn.update({}, [mirrorLifecycle(deps.db, lease, runId, lifecycle, deps.now())]))
    ? proceed
    : stop(turn, null);
}

/** MLflow's id of an experiment that an MLflow client knows by its own; it is made where MLflow has none of its name. */
async function clientsExperiment(turn: Turn, id: string): Promise<Step<string>> {
  const { db } = turn.deps;
  const experiment = await experimentById(db, id);
  if (!experiment) throw new Error(`a run is in experiment ${id}, which is not there`);
  if (experiment.mlflowExperimentId !== null) {
    const known = await ensureKnownExperiment(turn, experiment.mlflowExperimentId);
    if (!known.ok) return known;
    if (known.value !== null) return { ok: true, value: known.value };
    // Deleted there for good.
    await forgetMlflows(db, experiment.id, experiment.mlflowExperimentId);
  }
  const brought = await deliverExperiment(turn.deps, experiment.id, { isDue: true });
  const now = await experimentById(db, experiment.id);
  if (now && now.mlflowExperimentId !== null)
    return now.lifecycle === "deleted" && brought.kind === "brought"
      ? blocked(deletedExperiment(now.name))
      : { ok: true, value: now.mlflowExperimentId };
  if (brought.kind !== "behind") return waitFree(BUSY_MS);
  const { failure, isHeld, ms, error } = brought;
  if (failure?.kind === "invalid") return stop(turn, failure);
  return { ok: false, end: { kind: "wait", for: isHeld ? "breaker" : "retry", ms, error } };
}
