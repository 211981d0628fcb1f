import { fromWire } from "../domain/values.ts";
import type { Failure } from "../mlflow/failure.ts";
import { BATCH_TAG, countOf, type Items, pieces } from "../mlflow/plan.ts";
import {
  type Batch,
  markSent,
  markUnsent,
  pendingBatches,
  planHelping,
  removeBatch,
} from "../store/batches.ts";
import { bury } from "../store/dead-letters.ts";
import { unconflicted } from "./params.ts";
import { landingMs, proceed, type Step, type Turn } from "./turn.ts";
import { unstored } from "./verify-points.ts";

/** Old servers take tens of seconds over a large repeat; a hundred at a time stays quick everywhere. */
const RESEND_ITEMS = 100;
const POLL_MS = 2_000;
const CONTROL_TAG = "relay.control";
/** A batch that a server answers with "internal error" so often, while it answers others, holds something bad. */
const MAX_INTERNAL_ERRORS = 8;
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

type Sent =
  | { ok: true; value: undefined }
  | { ok: false; over: boolean; end: Extract<Step, { ok: false }>["end"] };

async function sendItems(turn: Turn, runId: string, items: Items, attempts: number): Promise<Sent> {
  if (countOf(items) === 0) return { ok: true, value: undefined };
  const result = await turn.call(() => turn.deps.mlflow.logBatch(payload(runId, items)));
  if (result.ok) return { ok: true, value: undefined };
  const { failure } = result;
  const poisoned =
    failure?.code === "INTERNAL_ERROR" && attempts >= MAX_INTERNAL_ERRORS && (await takesWrites(turn, runId));
  if (failure && (isAboutItems(failure) || poisoned)) return settle(turn, runId, items, failure, attempts);
  const stopped = await turn.stop(failure);
  return { ...stopped, over: failure !== null && failure.kind !== "ambiguous" };
}

/** Whether the server takes a write to this run that holds nothing new: then an error is about the items. */
async function takesWrites(turn: Turn, runId: string): Promise<boolean> {
  return (await turn.call(() => turn.deps.mlflow.setTag({ runId, key: CONTROL_TAG, value: "ok" }))).ok;
}

/** The failures that are about what was sent and not about the server or the run. */
function isAboutItems(failure: Failure): boolean {
  return failure.kind === "conflict" || failure.kind === "duplicate" || failure.kind === "invalid";
}

/** Finds the items at fault, sets them aside with their reason, and sends the rest. */
async function settle(
  turn: Turn,
  runId: string,
  items: Items,
  failure: Failure,
  attempts: number,
): Promise<Sent> {
  const rest =
    failure.kind === "conflict"
      ? await unconflicted(turn, runId, items)
      : failure.kind === "duplicate"
        ? await unstored(turn, runId, items)
        : ({ ok: true, value: items } as const);
  if (!rest.ok) return { ...rest, over: true };
  if (countOf(rest.value) < countOf(items)) return sendItems(turn, runId, rest.value, attempts);
  if (countOf(items) === 1) {
    await setAside(turn, items, failure);
    return { ok: true, value: undefined };
  }
  for (const half of pieces(items, Math.ceil(countOf(items) / 2))) {
    const sent = await sendItems(turn, runId, half, attempts);
    if (!sent.ok) return sent;
  }
  return { ok: true, value: undefined };
}

async function setAside(turn: Turn, items: Items, failure: Failure): Promise<void> {
  const kind = items.metrics.length > 0 ? "metric" : items.params.length > 0 ? "param" : "tag";
  const item = JSON.stringify(items.metrics[0] ?? items.params[0] ?? items.tags[0]);
  const reason = `${failure.code ?? failure.status ?? "MLflow"}: ${failure.message}`;
  const answer = { mlflowStatus: failure.status, mlflowCode: failure.code };
  await bury(turn.deps.db, {
    streamId: turn.stream.id,
    kind,
    item,
    reason,
    ...answer,
    createdAt: turn.deps.now(),
  });
  turn.deps.log.error("an item was set aside as a dead letter", { kind, reason });
}

function payload(runId: string, items: Items) {
  return {
    ...items,
    runId,
    metrics: items.metrics.map((metric) => ({ ...metric, value: fromWire(metric.value) })),
  };
}
