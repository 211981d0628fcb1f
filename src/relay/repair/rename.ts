import type { Failure } from "../../mlflow/failure.ts";
import { mirrorExperiment } from "../../store/mirror/experiments.ts";
import { lock, unlock } from "../../store/ops/locks.ts";
import type { Deps } from "../deps.ts";
import { leaseMs } from "../stream/held-stream.ts";

export type Renamed =
  | { kind: "renamed" }
  /** It cannot be done as things stand. */
  | { kind: "refused"; detail: string }
  /** MLflow is away, or did not say whether it was done. */
  | { kind: "later"; detail: string; mayLand?: true };

/**
 * Renames an experiment in MLflow and in the mirror, which keeps the old name, so that trials that ask for it follow.
 * MLflow is asked first: it alone knows what the experiment is now, and whether a call without an answer took effect.
 */
export async function renameExperiment(deps: Deps, experimentId: string, name: string): Promise<Renamed> {
  const own = `rename:${experimentId}`;
  const token = await lock(deps.db, own, leaseMs(deps.config.mlflow.timeoutMs));
  if (token === null)
    return {
      kind: "later",
      detail: "Another renaming of it is under way, or went unanswered and may still land.",
    };
  const renamed = await renamedUnderLock(deps, experimentId, name);
  // One that may still land keeps the lock until it no longer can.
  if (renamed.kind !== "later" || !renamed.mayLand) await unlock(deps.db, own, token);
  return renamed;
}

async function renamedUnderLock(deps: Deps, experimentId: string, name: string): Promise<Renamed> {
  const before = await asked(deps, experimentId);
  if (!before.ok) return stopped(before.failure);
  if (before.value.lifecycleStage === "deleted")
    return refused(`Experiment ${experimentId} is deleted in MLflow.`);
  const renamed = await deps.writes.updateExperiment({ experimentId, newName: name });
  // Answered with an error, it may have been done all the same; without an answer it may be done yet.
  if (!renamed.ok && renamed.failure.kind !== "ambiguous" && renamed.failure.kind !== "transient") {
    const { kind } = renamed.failure;
    return kind === "exists" || kind === "duplicate" ? taken(name) : stopped(renamed.failure);
  }
  const mayLand = renamed.ok || renamed.failure.kind === "transient" ? {} : ({ mayLand: true } as const);
  const after = await asked(deps, experimentId);
  if (!after.ok) {
    const end = stopped(after.failure);
    return end.kind === "later" ? { ...end, ...mayLand } : end;
  }
  // Written down in two steps, so that the mirror has the old name even if it had never seen it.
  await mirrorExperiment(deps.db, before.value, deps.now());
  await mirrorExperiment(deps.db, after.value, deps.now());
  if (after.value.name === name) return { kind: "renamed" };
  return {
    kind: "later",
    detail: "MLflow did not say whether it renamed the experiment, and has not yet.",
    ...mayLand,
  };
}

async function asked(deps: Deps, experimentId: string) {
  return deps.mlflow.getExperiment(experimentId);
}

function taken(name: string): Renamed {
  return refused(
    `Another experiment in MLflow has the name "${name}", or is deleted and had it. Names stay taken until MLflow's own clean-up.`,
  );
}

function refused(detail: string): Renamed {
  return { kind: "refused", detail };
}

function stopped({ kind, message }: Failure): Renamed {
  if (kind === "gone") return refused(`MLflow cannot rename it: ${message}`);
  if (kind === "invalid") return refused(`MLflow does not take the name: ${message}`);
  return { kind: "later", detail: `MLflow cannot be asked just now: ${message}` };
}
