import type { Tag } from "../../mlflow/types.ts";
import { isRunOfAnother } from "../../store/delivery/own-runs.ts";
import { hasRefusedRun, recordConflicts } from "../../store/mirror/conflicts.ts";
import { stop } from "../stream/stop.ts";
import { blocked, type Step, type Turn } from "../stream/turn.ts";
import { mirrorExperiment } from "./experiment.ts";
import { link } from "./link.ts";

/** What a run is to be when it is made. Times in epoch milliseconds. */
export type RunWanted = {
  experimentName: string;
  /** That experiment's id, made where it is not there yet. */
  experimentId: () => Promise<Step<string>>;
  runName: string;
  startTime: number;
  user: string;
  tags: Tag[];
  /** The trainer's own run, to be adopted. */
  requestedRunId: string | null;
  /** A run that was found with this trial's tags, to be adopted if it is still there. */
  foundRunId: string | null;
};

/** Takes the trainer's own run; false when it was refused, such as to a second trial, which is a recorded conflict. */
export async function adopt(turn: Turn, runId: string, wanted: RunWanted): Promise<Step<boolean>> {
  const { db, mlflow, now } = turn.deps;
  if (await hasRefusedRun(db, turn.stream.id, runId)) return { ok: true, value: false };
  if (await isRunOfAnother(db, runId, turn.stream.id)) {
    const conflict = {
      streamId: turn.stream.id,
      kind: "run_id" as const,
      field: "mlflow_run_id",
      kept: null,
    };
    await recordConflicts(db, [{ ...conflict, refused: runId, source: "journal", createdAt: now() }]);
    return { ok: true, value: false };
  }
  const found = await turn.call(() => mlflow.getRun(runId));
  if (!found.ok && found.failure?.kind === "gone")
    return blocked({
      kind: "gone_run",
      on: runId,
      reason: `gone: the trial names MLflow run ${runId}, which does not exist`,
    });
  if (!found.ok) return stop(turn, found.failure);
  if (found.value.info.lifecycleStage === "deleted")
    return blocked({ kind: "gone_run", on: runId, reason: `gone: MLflow run ${runId} is deleted` });
  const have = new Set(found.value.data.tags.map((tag) => tag.key));
  const tags = wanted.tags.filter((tag) => !have.has(tag.key) || tag.key.startsWith("thunderline_"));
  const tagged = await turn.write({ call: "runs/log-batch" }, (writes) =>
    writes.logBatch({ runId, metrics: [], params: [], tags }),
  );
  if (!tagged.ok) return stop(turn, tagged.failure);
  const experiment = await turn.call(() => mlflow.getExperiment(found.value.info.experimentId));
  if (!experiment.ok) return stop(turn, experiment.failure);
  await mirrorExperiment(turn, experiment.value);
  if (!(await turn.update({ experimentName: experiment.value.name }))) return stop(turn, null);
  const linked = await link(turn, found.value, found.value.info.runName ?? wanted.runName, true);
  return linked.ok ? { ok: true, value: true } : linked;
}
