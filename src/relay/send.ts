import type { Failure } from "../mlflow/failure.ts";
import { BATCH_TAG, pieces } from "../mlflow/plan.ts";
import { planHelping } from "../store/batch-plan.ts";
import { type Batch, markSent, markUnsent, pendingBatches, removeBatch } from "../store/batches.ts";
import { isAboutItems, payload, sendItems, settle } from "./send-items.ts";
import { landingMs, proceed, type Step, type Turn } from "./turn.ts";

/** Old servers take tens of seconds over a large repeat; a hundred at a time stays quick everywhere. */
const RESEND_ITEMS = 100;
const POLL_MS = 2_000;
const TOO_MANY_REQUESTS = 429;

/**
 * Sends everything that is folded: planned batches first, then new ones, until nothing is left or a bound is
 * reached. Each batch is an intent that was stored before its call and is deleted once MLflow has it. While one
 * helping is sent the next is planned, so that MLflow need not wait for it.
 * @param maxStep the step for metrics of a terminal event that came without one
 */
export async function sendAll(turn: Turn, runId: string, maxStep: number): Promise<Step> {
  const { db } = turn.deps;
  for (;;) {
    const left = await pendingBatches(db, turn.stream.id);
    if (left.length === 0) break;
    const sent = await sendHelping(turn, runId, left);
    if (!sent.ok) return sent;
  }
  let batches: Batch[] = [];
  for (;;) {
    const isBehind = turn.stream.plannedSeq < turn.stream.foldedSeq;
    const [sent, planned] = await both(
      sendHelping(turn, runId, batches),
      isBehind ? planHelping(db, turn.lease, turn.stream, maxStep) : Promise.resolve(null),
    );
    if (!sent.ok) return sent;
    if (!isBehind) return proceed;
    if (planned === null) return turn.stop(null);
    turn.stream = { ...turn.stream, plannedSeq: planned.upto };
    batches = planned.batches;
  }
}

/** Waits for both, also if one throws: a call that is under way must not outlive its lease. */
async function both<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([a, b]);
  return Promise.all([a, b]);
}

/** Finds out what became of calls that went unanswered in an earlier turn, before anything is merged or sent. */
export async function settleUnanswered(turn: Turn, runId: string): Promise<Step> {
  const { deps, lease, stream } = turn;
  if (stream.plannedSeq <= stream.deliveredSeq) return proceed;
  for (const batch of await pendingBatches(deps.db, stream.id)) {
    if (batch.sentAt === null) continue;
    const arrived = await hasArrived(turn, runId, batch.token, batch.sentAt);
    if (!arrived.ok) return arrived;
    if (arrived.value && !(await removeBatch(deps.db, lease, batch))) return turn.stop(null);
  }
  return proceed;
}

async function sendHelping(turn: Turn, runId: string, batches: Batch[]): Promise<Step> {
  const { db } = turn.deps;
  let done: Batch | null = null;
  for (const batch of batches) {
    if (turn.exhausted) {
      if (done && !(await removeBatch(db, turn.lease, done))) return turn.stop(null);
      return { ok: false, end: { kind: "more" } };
    }
    const sent = await sendBatch(turn, runId, batch, done);
    if (!sent.ok) return sent;
    done = batch;
  }
  if (done && !(await removeBatch(db, turn.lease, done))) return turn.stop(null);
  return proceed;
}

/** Brings one batch into MLflow. `done` is the batch before it, deleted in the statement that marks this one. */
async function sendBatch(turn: Turn, runId: string, batch: Batch, done: Batch | null): Promise<Step> {
  if (batch.sentAt !== null) {
    const arrived = await hasArrived(turn, runId, batch.token, batch.sentAt);
    if (!arrived.ok) return arrived;
    if (arrived.value) return proceed;
  }
  const sentAt = await turn.pace();
  if (!(await markSent(turn.deps.db, turn.lease, batch, done, sentAt))) return turn.stop(null);
  // Part of a batch that was sent before may be in.
  if (batch.attempts > 0) return sendPieces(turn, runId, batch);
  const token = { key: BATCH_TAG, value: batch.token };
  const result = await turn.callUnderLease(sentAt, () =>
    turn.deps.mlflow.logBatch(payload(runId, { ...batch.items, tags: [...batch.items.tags, token] })),
  );
  if (result.ok) return proceed;
  return result.failure === null ? turn.stop(null) : failedWhole(turn, runId, batch, result.failure);
}

async function failedWhole(turn: Turn, runId: string, batch: Batch, failure: Failure): Promise<Step> {
  if (isAboutItems(failure)) return settle(turn, runId, batch.items, failure, batch.attempts);
  // A rate limiter refuses before anything is written; after other answers part of the batch may be in.
  if (failure.kind !== "ambiguous")
    await markUnsent(turn.deps.db, turn.lease, batch, failure.status === TOO_MANY_REQUESTS);
  return turn.stop(failure);
}

async function sendPieces(turn: Turn, runId: string, batch: Batch): Promise<Step> {
  for (const piece of pieces(batch.items, RESEND_ITEMS)) {
    const sent = await sendItems(turn, runId, piece, batch.attempts);
    if (!sent.ok) {
      // Nothing of a piece that was answered can still land.
      if (sent.over) await markUnsent(turn.deps.db, turn.lease, batch, false);
      return sent;
    }
  }
  return proceed;
}

/** After an unanswered call: the batch's tag, which MLflow writes last, tells whether all of it is in. */
async function hasArrived(turn: Turn, runId: string, token: string, sentAt: number): Promise<Step<boolean>> {
  const run = await turn.call(() => turn.deps.mlflow.getRun(runId));
  if (!run.ok) return turn.stop(run.failure);
  if (run.value.data.tags.some((tag) => tag.key === BATCH_TAG && tag.value === token))
    return { ok: true, value: true };
  const left = sentAt + landingMs(turn.deps.config.mlflow.timeoutMs) - turn.deps.now();
  if (left <= 0) return { ok: true, value: false };
  const error = "a log-batch call went unanswered and may still land";
  return { ok: false, end: { kind: "wait", for: "retry", ms: Math.min(POLL_MS, left), error } };
}
