import { type Items, pieces } from "../../mlflow/plan.ts";
import { type Next, planHelping, readNext } from "../../store/delivery/batch-plan.ts";
import {
  type Batch,
  markUntouched,
  type PlannedBatches,
  pendingBatches,
} from "../../store/delivery/batches.ts";
import type { Work } from "../../store/turn/work.ts";
import { makeRoom, slotFor } from "../stream/confirm.ts";
import { stop } from "../stream/stop.ts";
import { proceed, type Step, type Turn } from "../stream/turn.ts";
import type { FirstBatch } from "./first-batch.ts";
import { isAboutItems, payload, Sending, sendItems, sendWithoutFaulty } from "./send-items.ts";

/** Old servers take tens of seconds over a large repeat; a hundred at a time stays quick everywhere. */
const RESEND_ITEMS = 100;

/**
 * Sends everything that is folded: planned batches first, then new ones, until nothing is left or a bound is
 * reached. Each batch is an intent that is stored before its call and is deleted once MLflow has it. While one
 * helping is sent the next is planned, so that MLflow need not wait for it.
 * @param maxStep the step for metrics of a terminal event that came without one
 * @returns up to where MLflow has it all
 */
export async function sendAll(turn: Turn, runId: string, work: Work, maxStep: number): Promise<Step<number>> {
  const { db } = turn.deps;
  for (let left = work.pending; left.length > 0; left = await othersPending(turn)) {
    const sent = await sendHelping(turn, runId, left, null);
    if (!sent.ok) return sent;
  }
  // What those set is agreed on now, and tells what of the next is news.
  if (turn.sent !== null && !(await turn.update({}))) return stop(turn, null);
  const { id, foldedSeq } = turn.stream;
  const plan = async (plannedSeq: number, read?: Next) => {
    const marks = { id, plannedSeq, foldedSeq };
    return planHelping(db, turn.lease, marks, read ?? (await readNext(db, marks)), maxStep);
  };
  let upto = turn.stream.plannedSeq;
  let planned = upto < foldedSeq ? await plan(upto, work.pending.length === 0 ? work.next : undefined) : null;
  while (planned !== null) {
    upto = planned.upto;
    const [sent, next] = await both(
      sendHelping(turn, runId, planned.batches, planned),
      upto < foldedSeq ? plan(upto) : Promise.resolve(null),
    );
    if (!sent.ok) return sent;
    planned = next;
  }
  return { ok: true, value: upto };
}

/** The batches that were planned before and are left: of many, those that were not loaded yet. */
async function othersPending({ deps, stream, sent }: Turn): Promise<Batch[]> {
  const left = await pendingBatches(deps.db, stream.id);
  return left.filter(({ token }) => token !== sent);
}

/** Waits for both, also if one throws: a call that is under way must not outlive its lease. */
async function both<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([a, b]);
  return Promise.all([a, b]);
}

/** @param planned the helping that these are, where it is not stored yet */
async function sendHelping(
  turn: Turn,
  runId: string,
  batches: readonly Batch[],
  planned: PlannedBatches | null,
): Promise<Step> {
  const room = await makeRoom(turn, runId, batches.length);
  if (!room.ok) return room;
  for (const [n, batch] of batches.entries()) {
    if (turn.exhausted) return { ok: false, end: { kind: "more" } };
    const sent = await sendBatch(turn, runId, batch, n === 0 ? planned : null);
    if (!sent.ok) return sent;
    turn.sent = batch.token;
  }
  return proceed;
}

/** Brings one batch into MLflow. */
async function sendBatch(
  turn: Turn,
  runId: string,
  batch: Batch,
  planned: PlannedBatches | null,
): Promise<Step> {
  await turn.deps.guard.pace();
  // MLflow writes the token last, as a tag: where it is, all of the batch is.
  const slot = slotFor(turn, batch.token);
  if (slot === null) return { ok: false, end: { kind: "more" } };
  const items = withToken(batch, slot);
  // Part of a batch that was sent before may be in. Its pieces are each begun by themselves.
  const isAgain = batch.attempts > 0;
  if (!isAgain) turn.begin({ call: "runs/log-batch", token: batch.token });
  if (!(await turn.mark({ batch, planned }, !isAgain))) return stop(turn, null);
  if (planned) turn.stream = { ...turn.stream, plannedSeq: planned.upto };
  return isAgain
    ? sendPieces(turn, runId, items, new Sending(batch, slot))
    : sendBegun(turn, runId, batch, slot);
}

function withToken({ items, token }: Batch, slot: string): Items {
  return { ...items, tags: [...items.tags, { key: slot, value: token }] };
}

/**
 * Sends the batch that was noted with the claim, which is all there is to do.
 * @returns up to where MLflow has it all
 */
export async function sendFirst(
  turn: Turn,
  { batch, slot, runId, upto, lent }: FirstBatch,
): Promise<Step<number>> {
  await lent?.over;
  const sent = await sendBegun(turn, runId, batch, slot);
  if (!sent.ok) return sent;
  turn.sent = batch.token;
  return { ok: true, value: upto };
}

/** Sends a batch for the first time, as the statement before has noted it. */
async function sendBegun(turn: Turn, runId: string, batch: Batch, slot: string): Promise<Step> {
  const items = withToken(batch, slot);
  const sending = new Sending(batch, slot);
  const result = await turn.writeUnderLease((mlflow) => mlflow.logBatch(payload(runId, items)));
  if (result.ok) return proceed;
  const { failure } = result;
  if (failure === null) return stop(turn, null);
  if (isAboutItems(failure)) return sendWithoutFaulty(turn, runId, items, failure, sending);
  if (turn.stream.doubt === null) await markUntouched(turn.deps.db, turn.lease, batch);
  return stop(turn, failure);
}

async function sendPieces(turn: Turn, runId: string, items: Items, sending: Sending): Promise<Step> {
  for (const piece of pieces(items, RESEND_ITEMS)) {
    const sent = await sendItems(turn, runId, piece, sending);
    if (!sent.ok) return sent;
  }
  return proceed;
}
