import type { BlockedKind } from "../../domain/blocked.ts";
import type { FailureKind } from "../../mlflow/failure.ts";
import { isForgotten } from "../../store/delivery/blocked.ts";
import { countEvents, force, streamByKey } from "../../store/delivery/streams.ts";
import type { StreamRow } from "../../store/stream/leases.ts";
import { type Driven, drive } from "../delivery/drive.ts";
import type { Deps } from "../deps.ts";
import { pokeMessage } from "../messages.ts";
import { tryEnqueue } from "../queues.ts";
import type { JobHandler, JobStep } from "./step.ts";

/** Why a job about a stream ends that was never there. */
export const NO_STREAM = "the relay knows no trial or model run of this id";
const FORGOTTEN = "it is forgotten; unblocking it with restore or recreate takes it up again";
/** Why a job waits for a stream that another turn has in hand, and the longest until it looks again. */
export const BUSY = "another turn has it in hand";
export const BUSY_SNOOZE_MS = 3_000;
/** How soon to ask whether the breaker that a stream waits for has closed. */
const BREAKER_SNOOZE_MS = 5_000;

const WAITS = {
  grace: "it waits for its start, or its model run's",
  parent: "it waits for its model run's run",
  retry: "it waits to try again",
  breaker: "it waits for MLflow to be back",
};

/** `sync_trial_to_mlflow`: brings into MLflow what was accepted before. */
export const syncTrialToMlflow: JobHandler = (deps, job) =>
  deliverNow(deps, job.target, async (before, after) => {
    if (after.deliveredSeq < before.lastSeq) return null;
    const delivered = await countEvents(deps.db, after.id, before.deliveredSeq, after.deliveredSeq);
    return { kind: "done", counts: { events_delivered: delivered } };
  });

/** `create_run`: makes its run in MLflow, and does not wait for anything else of it. */
export const createRun: JobHandler = (deps, job) =>
  deliverNow(deps, job.target, async (before, after) => {
    if (after.mlflowRunId !== null)
      return {
        kind: "done",
        counts: { runs_created: before.mlflowRunId === null && !after.adopted ? 1 : 0 },
      };
    if (after.deliveredSeq < after.lastSeq) return null;
    return { kind: "cancel", reason: "it is not to have a run of its own in MLflow" };
  });

/** What there is to say when the stream is where the job wants it; null while it is not. */
type Arrived = (before: StreamRow, after: StreamRow) => Promise<JobStep | null>;

/** One turn with the stream on the operator's word, unless it is there already. */
async function deliverNow(deps: Deps, key: string, arrived: Arrived): Promise<JobStep> {
  const before = await streamByKey(deps.db, key);
  if (!before) return { kind: "cancel", reason: NO_STREAM };
  if (isForgotten(before)) return { kind: "cancel", reason: FORGOTTEN };
  const already = before.blockedKind === null ? await arrived(before, before) : null;
  if (already) return already;
  // Only once: the stream's own backoff is to hold while the job waits.
  if (!before.forced || before.blockedKind !== null) await force(deps.db, before.id);
  const driven = await drive(deps, before.id);
  const after = (await streamByKey(deps.db, key)) ?? before;
  const step = (await arrived(before, after)) ?? unfinished(after, driven);
  if (step.kind !== "continue") await pokeFor(deps, before.id, driven);
  return step;
}

function unfinished(stream: StreamRow, driven: Driven): JobStep {
  if ("busy" in driven) return { kind: "snooze", ms: Math.min(driven.busy, BUSY_SNOOZE_MS), error: BUSY };
  const { blockedKind, blockedReason, waitingFor, lastError } = stream;
  if (blockedKind !== null)
    return {
      kind: "failed",
      failure: { kind: FAILURES[blockedKind], message: blockedReason ?? blockedKind },
    };
  if (driven.poke === 0) {
    const { deliveredSeq, plannedSeq, lastSeq } = stream;
    const progress = { delivered_seq: deliveredSeq, planned_seq: plannedSeq, last_seq: lastSeq };
    return { kind: "continue", progress: JSON.stringify(progress), counts: {}, delayMs: 0 };
  }
  if (waitingFor === null) return { kind: "snooze", ms: driven.poke ?? BUSY_SNOOZE_MS, error: BUSY };
  const why = lastError === null ? WAITS[waitingFor] : `${WAITS[waitingFor]}: ${lastError}`;
  return { kind: "snooze", ms: driven.poke ?? BREAKER_SNOOZE_MS, error: why };
}

/** The failure behind what blocks a stream. A job spends an attempt on it, and so it is nothing that passes. */
const FAILURES: Record<BlockedKind, Exclude<FailureKind, "transient" | "ambiguous" | "misconfigured">> = {
  gone_experiment: "gone",
  gone_run: "gone",
  invalid: "invalid",
  conflict: "conflict",
  exists: "exists",
  missing: "missing",
  misconfigured: "invalid",
  forgotten: "invalid",
  unreadable: "invalid",
};

/** The turn may have spent a poke of live delivery, which must not depend on what becomes of the job. */
async function pokeFor(deps: Deps, streamId: number, driven: Driven): Promise<void> {
  if ("busy" in driven || driven.poke === null) return;
  await tryEnqueue(deps, pokeMessage(streamId), driven.poke);
}
