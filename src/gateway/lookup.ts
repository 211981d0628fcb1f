import type { Result } from "../mlflow/failure.ts";
import type { Experiment, LoggedModel, Run, ShownModel } from "../mlflow/types.ts";
import { NONCE_TAG } from "../relay/delivery/run.ts";
import type { Deps } from "../relay/deps.ts";
import { type KnownRun, runJustMade } from "../store/gateway/runs.ts";
import { mirrorExperiment } from "../store/mirror/experiments.ts";
import { mirrorRuns } from "../store/mirror/runs.ts";
import { withDeadline } from "../waiting.ts";

/** A client waits for its answer meanwhile. */
const LOOK_UP_MS = 1_000;

/** What MLflow says of a record that the relay does not know; `away`: it cannot be asked, or did not answer in time. */
export type Found<T> = { kind: "found"; value: T } | { kind: "none" } | { kind: "away" };

/** Looks an experiment up in MLflow by its id, and writes it down. */
export function lookUpExperiment(deps: Deps, experimentId: string): Promise<Found<Experiment>> {
  return noted(deps, deps.mlflow.getExperiment(experimentId));
}

/** The same by its name. */
export function lookUpExperimentNamed(deps: Deps, name: string): Promise<Found<Experiment>> {
  return noted(deps, deps.mlflow.getExperimentByName(name));
}

async function noted(deps: Deps, asked: Promise<Result<Experiment>>): Promise<Found<Experiment>> {
  const found = await inTime(asked);
  if (found.kind === "found") await mirrorExperiment(deps.db, found.value, deps.now());
  return found;
}

/** Looks a run up in MLflow, and writes it down with its experiment. An empty id is nobody's, whether MLflow is there or not. */
export async function lookUpRun(deps: Deps, runId: string): Promise<Found<Run>> {
  if (runId === "") return { kind: "none" };
  const seenAt = deps.now();
  const found = await inTime(deps.mlflow.getRun(runId));
  if (found.kind === "found") await mirrorRuns(deps.db, [found.value], seenAt, true);
  return found;
}

/** Whether a run that was found so is one of ours: nobody may have heard yet what id MLflow gave it. */
export async function ownRun({ db }: Deps, { info, data }: Run): Promise<KnownRun | null> {
  const nonce = data.tags.find(({ key }) => key === NONCE_TAG)?.value;
  return nonce === undefined ? null : runJustMade(db, { nonce, mlflowRunId: info.runId });
}

/** Looks a logged model up in MLflow. */
export function lookUpModel(deps: Deps, modelId: string): Promise<Found<LoggedModel>> {
  return inTime(deps.mlflow.getModel(modelId));
}

/** The same as MLflow shows it; by MLflow's id. */
export function lookUpShownModel(
  deps: Deps,
  modelId: string,
  allowDeleted: boolean,
): Promise<Found<ShownModel>> {
  return inTime(deps.mlflow.getShownModel(modelId, allowDeleted));
}

async function inTime<T>(asked: Promise<Result<T>>): Promise<Found<T>> {
  try {
    const answer = await withDeadline(LOOK_UP_MS, asked);
    if (answer.ok) return { kind: "found", value: answer.value };
    const isNone = answer.failure.kind === "gone" || answer.failure.kind === "missing";
    // A name or id that MLflow would never take is one that it does not have.
    return { kind: isNone || answer.failure.kind === "invalid" ? "none" : "away" };
  } catch {
    return { kind: "away" };
  }
}
