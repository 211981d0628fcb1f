import type { Run } from "../../mlflow/types.ts";
import { agreeingOnTags } from "../../store/delivery/agreed.ts";
import { isRunOfAnother, mirrorLink } from "../../store/delivery/own-runs.ts";
import { nestsSince } from "../../store/delivery/parents.ts";
import { isOfCreate } from "../../store/gateway/delivery.ts";
import { hasRefusedRun, recordConflicts } from "../../store/mirror/conflicts.ts";
import { lock, renewLock, unlock } from "../../store/ops/locks.ts";
import type { SentState } from "../../store/stream/columns.ts";
import { whileRenewed } from "../../waiting.ts";
import { landingMs, leaseMs } from "../stream/held-stream.ts";
import { stop } from "../stream/stop.ts";
import { blocked, proceed, type Step, type Turn, waitFree } from "../stream/turn.ts";
import { mirrorExperiment } from "./experiment.ts";
import type { RunWanted } from "./wanted.ts";

/** How soon to come back for a run that another is just taking. */
const TAKEN_MS = 1_000;

/**
 * Takes the trainer's own run; false when it was refused, such as to a second trial, which is a recorded conflict. Of two
 * that name one run at the same time the second one waits: each would write its tags over the other's.
 */
export async function adopt(turn: Turn, runId: string, wanted: RunWanted): Promise<Step<boolean>> {
  const { db, config } = turn.deps;
  const own = `adopt:${runId}`;
  const ms = leaseMs(config.mlflow.timeoutMs);
  const token = await lock(db, own, ms, turn.stream.key);
  if (token === null) {
    return waitFree(TAKEN_MS, `another trial is just taking MLflow run ${runId}`);
  }
  const adopted = await whileRenewed(
    ms / 3,
    () => renewLock(db, own, token, ms),
    () => adoptAlone(turn, runId, wanted),
  );
  // Tags that may still land keep the lock until they no longer can.
  if (turn.stream.doubt === null) await unlock(db, own, token);
  return adopted;
}

async function adoptAlone(turn: Turn, runId: string, wanted: RunWanted): Promise<Step<boolean>> {
  const { db, mlflow } = turn.deps;
  if (await hasRefusedRun(db, turn.stream.id, runId)) return { ok: true, value: false };
  if (await isAnothers(turn, runId)) return { ok: true, value: false };
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

/** Whether a run is another stream's, which is a recorded conflict then. */
export async function isAnothers({ deps, stream }: Turn, runId: string): Promise<boolean> {
  if (!(await isRunOfAnother(deps.db, runId, stream.id))) return false;
  const conflict = { streamId: stream.id, kind: "run_id" as const, field: "mlflow_run_id", kept: null };
  await recordConflicts(deps.db, [{ ...conflict, refused: runId, source: "journal", createdAt: deps.now() }]);
  return true;
}

/** Writes the run down as the stream's own. */
export async function link(turn: Turn, run: Run, runName: string, adopted: boolean): Promise<Step> {
  const { info } = run;
  const sent: SentState = {
    status: info.status,
    endTime: info.endTime,
    runName,
    statusTag: null,
    lostContactAt: null,
  };
  const { deps, lease } = turn;
  const linked = await turn.update(
    {
      mlflowRunId: info.runId,
      mlflowExperimentId: info.experimentId,
      createSentAt: nestsSince(info.experimentId, deps.now()),
      recheckAt: adopted ? null : deps.now() + landingMs(deps.config.mlflow.timeoutMs),
      adopted,
      sentState: JSON.stringify(sent),
    },
    [
      mirrorLink(deps.db, lease, info, runName, deps.now()),
      // What it was made with need not be sent, and could not.
      ...agreeingOnTags(deps.db, lease, adopted ? [] : run.data.tags.filter(({ key }) => isOfCreate(key))),
    ],
  );
  return linked ? proceed : stop(turn, null);
}
