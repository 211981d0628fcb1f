import type { Core } from "../domain/fold.ts";
import { recordConflicts } from "../store/conflicts.ts";
import { readCore } from "../store/core-column.ts";
import { coreOf, modelRunStream } from "../store/parents.ts";
import { countEvents } from "../store/streams.ts";
import { settleDoubt } from "./fence.ts";
import { finish } from "./finish.ts";
import { lookAgain, lookFirst } from "./look-first.ts";
import type { Looks } from "./looks.ts";
import { sendAll } from "./send.ts";
import { modelRun, text, trialRun } from "./targets.ts";
import { proceed, type Step, type Turn } from "./turn.ts";
import { untag } from "./untag.ts";

/** Brings MLflow up to date with a folded stream: run, batches, status. */
export async function deliver(turn: Turn, looks: Looks): Promise<Step> {
  const { stream, deps } = turn;
  // A Worker cannot tell a refused connection from a cut one. After a failure a read goes first, so that an MLflow
  // that is still away does not leave another write in doubt.
  if (stream.attempts > 0) {
    const there = await turn.call(() => deps.mlflow.searchExperiments({ maxResults: 1 }));
    if (!there.ok) return turn.stop(there.failure);
  }
  const core = readCore(await coreOf(deps.db, stream));
  const isNew = stream.mlflowRunId === null;
  const ready = stream.kind === "trial" ? await trialRun(turn, core) : await modelRun(turn, core);
  if (!ready.ok) return ready;
  if (!ready.value) return proceed;
  const runId = turn.stream.mlflowRunId;
  if (runId === null) throw new Error(`stream ${stream.key} has no run after one was ensured`);
  await noteLateClaims(turn, core);
  const settled = await settleDoubt(turn);
  if (!settled.ok) return settled;
  const looked = await lookFirst(turn, looks, core, runId, isNew);
  if (!looked.ok) return looked;
  // A look may have folded more; so may a trial's turn of its model run, at any time, and that is sent too.
  const coreNow = async () => readCore(await coreOf(deps.db, stream));
  const { maxStep } = looked.value.isMerged ? await coreNow() : core;
  const sent = await sendAll(turn, runId, maxStep ?? 0);
  if (!sent.ok) return sent;
  const untagged = await untag(turn, runId);
  if (!untagged.ok) return untagged;
  const sentCore = await coreNow();
  const lookedAgain = await lookAgain(turn, looks, sentCore, runId, looked.value);
  if (!lookedAgain.ok) return lookedAgain;
  const finished = await finish(turn, runId, lookedAgain.value.isMerged ? await coreNow() : sentCore);
  if (!finished.ok) return finished;
  const { deliveredSeq, plannedSeq } = turn.stream;
  if (!(await turn.update({ deliveredSeq: plannedSeq, deliveredAt: deps.now() }))) return turn.stop(null);
  const events = await countEvents(deps.db, stream.id, deliveredSeq, plannedSeq);
  deps.tally.add("relay_events_delivered_total", events);
  return proceed;
}

/** A run cannot move: a start that names another experiment or run after it was made is a conflict. */
async function noteLateClaims(turn: Turn, core: Core): Promise<void> {
  const { stream, deps } = turn;
  const row = { streamId: stream.id, source: "journal" as const, createdAt: deps.now() };
  const experiment = text(core, "experiment_name") ?? (await parentExperiment(turn));
  const kept = stream.experimentName;
  if (experiment !== null && kept !== null && experiment !== kept && !stream.adopted)
    await recordConflicts(deps.db, [
      { ...row, kind: "experiment", field: "experiment_name", kept, refused: experiment },
    ]);
  const run = text(core, "mlflow_run_id");
  if (run !== null && run !== stream.mlflowRunId)
    await recordConflicts(deps.db, [
      { ...row, kind: "run_id", field: "mlflow_run_id", kept: stream.mlflowRunId, refused: run },
    ]);
}

/** The experiment that the trial's model run names. */
async function parentExperiment({ stream, deps }: Turn): Promise<string | null> {
  if (stream.kind !== "trial" || stream.modelRunId === null) return null;
  return (await modelRunStream(deps.db, stream.modelRunId))?.experimentName ?? null;
}
