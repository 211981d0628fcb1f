import { type Block, isGone } from "../../domain/blocked.ts";
import type { Experiment } from "../../mlflow/types.ts";
import {
  activeExperimentNamed,
  forgetExperiment,
  isExperimentActive,
} from "../../store/mirror/active-experiments.ts";
import * as store from "../../store/mirror/experiments.ts";
import { stop } from "../stream/stop.ts";
import { blocked, type Step, type Turn } from "../stream/turn.ts";

/** The id of the experiment of this name: known, also by a name that it had before, else as MLflow has it. */
export async function ensureExperiment(turn: Turn, name: string): Promise<Step<string>> {
  const known = await activeExperimentNamed(turn.deps.db, name);
  return known === null ? askForExperiment(turn, name) : { ok: true, value: known };
}

/**
 * The same of an experiment that the mirror does not know as active: found by name, or under the one that it has by now,
 * else created. A name stays taken by a deleted experiment, which is restored or blocks the trial, by configuration.
 */
export async function askForExperiment(turn: Turn, name: string): Promise<Step<string>> {
  const { artifactLocation } = turn.deps.config;
  const found = await findByName(turn, name);
  if (!found.ok) return found;
  if (found.value) return use(turn, found.value);
  const renamed = await findRenamed(turn, name);
  if (!renamed.ok) return renamed;
  if (renamed.value) return use(turn, renamed.value);
  const created = await turn.write({ call: "experiments/create" }, (mlflow) =>
    mlflow.createExperiment({
      name,
      ...(artifactLocation === null ? {} : { artifactLocation }),
    }),
  );
  // Made, or made by another, or perhaps made: MLflow keeps names unique, so the name tells.
  if (!created.ok && created.failure?.kind !== "exists" && created.failure?.kind !== "ambiguous")
    return stop(turn, created.failure);
  const made = await findByName(turn, name);
  if (!made.ok) return made;
  if (made.value) {
    turn.noDoubt();
    return use(turn, made.value);
  }
  return created.ok ? { ok: true, value: created.value } : stop(turn, created.failure);
}

/** The same by its id, whatever its name is now; null when MLflow does not know it any more. */
export async function ensureKnownExperiment(turn: Turn, experimentId: string): Promise<Step<string | null>> {
  if (await isExperimentActive(turn.deps.db, experimentId)) return { ok: true, value: experimentId };
  const found = await turn.call(() => turn.deps.mlflow.getExperiment(experimentId));
  if (found.ok) return use(turn, found.value);
  return found.failure?.kind === "gone" ? { ok: true, value: null } : stop(turn, found.failure);
}

async function findByName(turn: Turn, name: string): Promise<Step<Experiment | null>> {
  const found = await turn.call(() => turn.deps.mlflow.getExperimentByName(name));
  if (found.ok) return { ok: true, value: found.value };
  return found.failure?.kind === "missing" ? { ok: true, value: null } : stop(turn, found.failure);
}

/** Looks at an experiment in which MLflow makes no run. Of one that is not there at all nothing is known any more. */
export async function lookAtGone(turn: Turn, experimentId: string): Promise<void> {
  const found = await turn.call(() => turn.deps.mlflow.getExperiment(experimentId));
  if (found.ok) await mirrorExperiment(turn, found.value);
  else if (found.failure?.kind === "gone") await forgetExperiment(turn.deps.db, experimentId);
}

/** The experiment that has or had this name, as far as the relay knows, if MLflow still has it by its id. */
async function findRenamed(turn: Turn, name: string): Promise<Step<Experiment | null>> {
  const id = await store.experimentNamed(turn.deps.db, name);
  if (id === null) return { ok: true, value: null };
  const found = await turn.call(() => turn.deps.mlflow.getExperiment(id));
  if (!found.ok)
    return found.failure?.kind === "gone" ? { ok: true, value: null } : stop(turn, found.failure);
  await mirrorExperiment(turn, found.value);
  // The id may be another experiment's now.
  const isSame = await store.isCalledSo(turn.deps.db, id, name);
  return { ok: true, value: isSame ? found.value : null };
}

async function use(turn: Turn, experiment: Experiment): Promise<Step<string>> {
  if (experiment.lifecycleStage === "deleted") {
    if (turn.deps.config.deletedExperiment === "block") {
      await mirrorExperiment(turn, experiment);
      return blocked(deletedExperiment(experiment.name));
    }
    const restored = await turn.write({ call: "experiments/restore" }, (mlflow) =>
      mlflow.restoreExperiment(experiment.experimentId),
    );
    // One that another has restored meanwhile is "gone" to MLflow.
    if (!restored.ok && restored.failure?.kind !== "gone") return stop(turn, restored.failure);
  }
  await mirrorExperiment(turn, { ...experiment, lifecycleStage: "active" });
  return { ok: true, value: experiment.experimentId };
}

/** Blocks a stream that is to have its run in a deleted experiment. */
export function deletedExperiment(name: string): Block {
  return { kind: "gone_experiment", on: name, reason: `gone: experiment "${name}" is deleted in MLflow` };
}

/**
 * By the policy to restore deleted experiments, has a stream that was stopped go on if its experiment was deleted with
 * its run in it, or has just been restored for another stream. A run that was deleted by itself stays deleted.
 */
export async function restoredByPolicy(turn: Turn, { kind }: Block): Promise<boolean> {
  const { mlflow, config } = turn.deps;
  const { mlflowExperimentId, mlflowRunId } = turn.stream;
  if (config.deletedExperiment !== "restore" || !isGone(kind)) return false;
  if (mlflowExperimentId === null || mlflowRunId === null) return false;
  const found = await turn.call(() => mlflow.getExperiment(mlflowExperimentId));
  if (!found.ok) return false;
  if (found.value.lifecycleStage === "deleted") {
    const restored = await turn.write({ call: "experiments/restore" }, (writes) =>
      writes.restoreExperiment(mlflowExperimentId),
    );
    if (!restored.ok && restored.failure?.kind !== "gone") return false;
    await mirrorExperiment(turn, { ...found.value, lifecycleStage: "active" });
  }
  const run = await turn.call(() => mlflow.getRun(mlflowRunId));
  return run.ok && run.value.info.lifecycleStage === "active";
}

/** Writes down what MLflow says of an experiment. */
export async function mirrorExperiment({ deps }: Turn, experiment: Experiment): Promise<void> {
  await store.mirrorExperiment(deps.db, experiment, deps.now());
}
