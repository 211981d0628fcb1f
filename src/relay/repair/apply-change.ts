import type { Block } from "../../domain/blocked.ts";
import type { Result } from "../../mlflow/failure.ts";
import { forgotten, freeHeldUp, NOT_BLOCKED, startAnew } from "../../store/delivery/blocked.ts";
import { recordConflicts } from "../../store/mirror/conflicts.ts";
import { markExperimentActive } from "../../store/mirror/experiments.ts";
import { markActive } from "../../store/mirror/runs.ts";
import { sendPokes } from "../queues.ts";
import type { Turn } from "../stream/turn.ts";
import type { Change } from "./changes.ts";

const LOST = "Another turn has taken it over; look at it again.";

/**
 * Does one of the changes that unblock a stream.
 * @returns why it was not done, or null
 */
export async function applyChange(turn: Turn, change: Change, block: Block): Promise<string | null> {
  const { stream, deps } = turn;
  switch (change.change) {
    case "restore_experiment":
      return restoreExperiment(turn, change.experiment_id, change.name);
    case "restore_run":
      return restoreRun(turn, change.run_id);
    case "refuse_run":
      // Delivery does not ask for a run that was refused to this trial.
      await recordConflicts(deps.db, [
        {
          streamId: stream.id,
          kind: "run_id",
          field: "mlflow_run_id",
          kept: null,
          refused: change.run_id,
          source: "mlflow",
          createdAt: deps.now(),
        },
      ]);
      return null;
    case "new_run":
      // Without a run nothing was sent, and a create that may still land is looked for by delivery.
      if (change.instead_of === null) return null;
      if (!(await startAnew(deps.db, turn.lease))) return LOST;
      turn.noDoubt();
      turn.expect([]);
      return null;
    case "deliver": {
      const rested = { attempts: 0, nextAttemptAt: 0, waitingFor: null };
      const free = { ...rested, ...NOT_BLOCKED, lastError: null, forced: true };
      return (await turn.update(free)) ? null : LOST;
    }
    case "forget":
      return (await turn.update(forgotten(block))) ? null : LOST;
  }
}

async function restoreExperiment(turn: Turn, experimentId: string, name: string): Promise<string | null> {
  const { deps, stream } = turn;
  const restored = await turn.write({ call: "experiments/restore" }, (mlflow) =>
    mlflow.restoreExperiment(experimentId),
  );
  // An experiment that somebody else has restored meanwhile is "gone" to MLflow.
  if (!restored.ok && restored.failure?.kind !== "gone") return problemOf(restored);
  await markExperimentActive(deps.db, experimentId, deps.now());
  const held = { streamId: stream.id, experimentId, name };
  const freed = await freeHeldUp(deps.db, held);
  await sendPokes(
    deps,
    freed.map((streamId) => ({ streamId, urgent: true })),
  );
  return null;
}

async function restoreRun(turn: Turn, runId: string): Promise<string | null> {
  const { deps } = turn;
  const restored = await turn.write({ call: "runs/restore" }, (mlflow) => mlflow.restoreRun(runId));
  if (!restored.ok) return problemOf(restored);
  await markActive(deps.db, runId, deps.now());
  return null;
}

function problemOf({ failure }: Exclude<Result<void>, { ok: true }> | { failure: null }): string {
  return failure === null ? LOST : `MLflow did not do it: ${failure.message}. It can be asked for again.`;
}
