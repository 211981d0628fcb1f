import { type Core, textOf } from "../../domain/core.ts";
import { coreOf } from "../../store/delivery/parents.ts";
import { recordConflicts } from "../../store/mirror/conflicts.ts";
import { readCore } from "../../store/stream/core-column.ts";
import { readWork } from "../../store/turn/work.ts";
import { lookAgain, lookFirst } from "../merge/look-first.ts";
import type { Looks } from "../merge/looks.ts";
import type { Known, Start } from "../stream/claim-folded.ts";
import { clearDoubt } from "../stream/fence.ts";
import type { InHand } from "../stream/in-hand.ts";
import { stop } from "../stream/stop.ts";
import { proceed, type Step, type Turn } from "../stream/turn.ts";
import { giveInputs } from "./clients-inputs.ts";
import { clientsOwnRun, closeDeleted, reopen } from "./clients-run.ts";
import { finish, untag } from "./finish.ts";
import { modelRun } from "./model-run.ts";
import { sendAll } from "./send.ts";
import { trialRun } from "./trial-run.ts";

/**
 * Brings MLflow up to date with a folded stream: run, batches, status.
 * @returns up to where MLflow has it all
 */
export async function deliver(
  turn: Turn,
  { known, above }: Pick<Start, "known" | "above">,
  { looks, inHand }: { looks: Looks; inHand: InHand },
): Promise<Step<number>> {
  const { stream, deps } = turn;
  // A Worker cannot tell a refused connection from a cut one. After a failure a read goes first, so that an MLflow
  // that is still away does not leave another write in doubt.
  if (stream.attempts > 0) {
    const there = await turn.call(() => deps.mlflow.searchExperiments({ maxResults: 1 }));
    if (!there.ok) return stop(turn, there.failure);
  }
  // A look may fold more; so may a trial's turn of its model run, at any time, and that is sent too.
  const coreNow = () => coreAt(turn, known);
  const core = await coreNow();
  const isNew = stream.mlflowRunId === null;
  const isClients = core.run !== null;
  // A trial of a model run that a client has written to is one all the same.
  const isOwn = isClients && stream.modelRunId === null;
  const ready = await (isOwn && stream.kind === "trial"
    ? clientsOwnRun(turn, core)
    : stream.kind === "trial"
      ? trialRun(turn, core, above, inHand)
      : modelRun(turn, core));
  if (!ready.ok) return ready;
  inHand.ready(stream.id);
  if (!ready.value) return { ok: true, value: turn.stream.foldedSeq };
  const runId = turn.stream.mlflowRunId;
  if (runId === null) throw new Error(`stream ${stream.key} has no run after one was ensured`);
  const cleared = await clearDoubt(turn);
  if (!cleared.ok) return cleared;
  let work = await readWork(deps.db, turn.stream);
  const opened = isClients && work.client !== null ? await reopen(turn, work.client) : proceed;
  if (!opened.ok) return opened;
  // A search folds without the lease: what it folded meanwhile is not to count as sent, nor as told.
  const isOld = () => work.foldedSeq !== turn.stream.foldedSeq;
  if (isOld()) work = await readWork(deps.db, turn.stream);
  await noteLateClaims(turn, core, work.parentExperiment);
  const looked = await lookFirst(turn, looks, core, runId, {
    isNew,
    tags: [...work.tags, ...work.takenAway],
  });
  if (!looked.ok) return looked;
  if (looked.value.isMerged || isOld()) work = await readWork(deps.db, turn.stream);
  const { maxStep, run } = await coreNow();
  const sent = await sendAll(turn, runId, work, maxStep ?? 0);
  if (!sent.ok) return sent;
  // A batch that was planned before may set a tag that was taken away since.
  if (work.takenAway.length > 0 || work.pending.length > 0) {
    const untagged = await untag(turn, runId);
    if (!untagged.ok) return untagged;
  }
  const lookedAgain = await lookAgain(turn, looks, await coreNow(), runId, looked.value);
  if (!lookedAgain.ok) return lookedAgain;
  const finished = await finish(turn, runId, await coreNow());
  if (!finished.ok) return finished;
  // What was folded as it was looked at is sent too.
  const { client } = work;
  if (run === null || client === null) return sent;
  const given = await giveInputs(turn, client, runId);
  if (!given.ok) return given;
  const closed = await closeDeleted(turn, client);
  return closed.ok ? sent : closed;
}

async function coreAt({ deps, stream }: Turn, known: Known): Promise<Core> {
  return known?.foldedSeq === stream.foldedSeq ? known.core : readCore(await coreOf(deps.db, stream));
}

/** A run cannot move: a start that names another experiment or run after it was made is a conflict. */
async function noteLateClaims(turn: Turn, core: Core, parentExperiment: string | null): Promise<void> {
  const { stream, deps } = turn;
  const row = { streamId: stream.id, source: "journal" as const, createdAt: deps.now() };
  const experiment = textOf(core, "experiment_name") ?? parentExperiment;
  const kept = stream.experimentName;
  if (experiment !== null && kept !== null && experiment !== kept && !stream.adopted)
    await recordConflicts(deps.db, [
      { ...row, kind: "experiment", field: "experiment_name", kept, refused: experiment },
    ]);
  const run = textOf(core, "mlflow_run_id");
  if (run !== null && run !== stream.mlflowRunId)
    await recordConflicts(deps.db, [
      { ...row, kind: "run_id", field: "mlflow_run_id", kept: stream.mlflowRunId, refused: run },
    ]);
}
