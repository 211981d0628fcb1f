import { type Items, pieces } from "../mlflow/plan.ts";
import { planHelping } from "../store/batch-plan.ts";
import { type Batch, markSent, markUntouched, pendingBatches, removeBatch } from "../store/batches.ts";
import { makeRoom, slotFor } from "./confirm.ts";
import { isAboutItems, payload, Sending, sendItems, settle } from "./send-items.ts";
import { proceed, type Step, type Turn } from "./turn.ts";

/** Old servers take tens of seconds over a large repeat; a hundred at a time stays quick everywhere. */
const RESEND_ITEMS = 100;

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
    const room = await makeRoom(turn, runId, left.length);
    if (!room.ok) return room;
    const sent = await sendHelping(turn, runId, left);
    if (!sent.ok) return sent;
  }
  let batches: Batch[] = [];
  for (;;) {
    const room = await makeRoom(turn, runId, batches.length);
    if (!room.ok) return room;
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
  const sentAt = await turn.pace();
  const { db } = turn.deps;
  // MLflow writes the token last, as a tag: where it is, all of the batch is.
  const slot = slotFor(turn, batch.token);
  if (slot === null) {
    if (done && !(await removeBatch(db, turn.lease, done))) return turn.stop(null);
    return { ok: false, end: { kind: "more" } };
  }
  const items = { ...batch.items, tags: [...batch.items.tags, { key: slot, value: batch.token }] };
  const writing = { call: "runs/log-batch", token: batch.token };
  // Part of a batch that was sent before may be in. Its pieces are each begun by themselves.
  const isAgain = batch.attempts > 0;
  const fence = isAgain ? turn.fence : turn.begin(writing);
  if (!(await markSent(db, turn.lease, batch, done, fence))) return turn.stop(null);
  const sending = new Sending(batch);
  if (isAgain) return sendPieces(turn, runId, items, sending);
  const result = await turn.writeUnderLease(sentAt, (mlflow) => mlflow.logBatch(payload(runId, items)));
  if (result.ok) return proceed;
  const { failure } = result;
  if (failure === null) return turn.stop(null);
  if (isAboutItems(failure)) return settle(turn, runId, items, failure, sending);
  if (turn.stream.doubt === null) await markUntouched(db, turn.lease, batch);
  return turn.stop(failure);
}

async function sendPieces(turn: Turn, runId: string, items: Items, sending: Sending): Promise<Step> {
  for (const piece of pieces(items, RESEND_ITEMS)) {
    const sent = await sendItems(turn, runId, piece, sending);
    if (!sent.ok) return sent;
  }
  return proceed;
}
