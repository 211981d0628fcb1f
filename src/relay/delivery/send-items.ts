import { fromWire } from "../../domain/values.ts";
import { type Failure, senseless } from "../../mlflow/failure.ts";
import { countOf, hasToken, type Items, isBatchTag, pieces } from "../../mlflow/plan.ts";
import { agreeOnSeen, type Batch, keepLeft } from "../../store/delivery/batches.ts";
import { bury } from "../../store/delivery/dead-letters.ts";
import { poll } from "../../waiting.ts";
import { control } from "../stream/control.ts";
import type { Writing } from "../stream/held-stream.ts";
import { stop } from "../stream/stop.ts";
import { proceed, type Step, type Turn } from "../stream/turn.ts";
import { unconflicted, unstored } from "./already-there.ts";

/** What a database says of a value is sure when it says so twice; MLflow's "internal error" says nothing of itself. */
const TRIES = { refused: 1, internal: 5 };

/** How often a part is looked for that was said to be taken, and the pause between: a replica may lag behind. */
const LOOKS = 2;
const LOOK_MS = 1_000;

/** A batch that is sent in parts, and what of it is still to be sent. */
export class Sending {
  readonly batch: Batch;
  /** The tag that is to hold the batch's token. */
  readonly slot: string;
  left: Items;
  /** How many items a turn has set aside. */
  setAside = 0;

  constructor(batch: Batch, slot: string) {
    this.batch = batch;
    this.slot = slot;
    this.left = batch.items;
  }

  /** What a part sets the tag to that is not the last; no other part ever did, of an earlier turn neither. */
  newMark(): Items["tags"][number] {
    return { key: this.slot, value: `${this.batch.token}/${crypto.randomUUID()}` };
  }

  /** Points that are in, and what was set aside, need not come again; which tags and parameters are in is still asked. */
  without({ metrics, params, tags }: Items): void {
    const { left } = this;
    this.left = {
      metrics: without(left.metrics, metrics),
      params: without(left.params, params),
      tags: without(left.tags, tags),
    };
  }
}

function without<T>(all: readonly T[], some: readonly T[]): T[] {
  const out = new Set(some);
  return all.filter((item) => !out.has(item));
}

/** Sends items under the turn's lease; those at fault are found and set aside, and the rest goes on. */
export async function sendItems(turn: Turn, runId: string, items: Items, sending: Sending): Promise<Step> {
  const { batch } = sending;
  if (countOf(items) === 0) return proceed;
  // Where many are at fault it takes several turns, each of which leaves less to the next.
  if (turn.exhausted && sending.setAside > 0) {
    const isNoted = await keepLeft(turn.deps.db, turn.lease, batch, sending.left);
    return isNoted ? { ok: false, end: { kind: "more" } } : stop(turn, null);
  }
  const result = await write(turn, runId, items, sending);
  if (result.ok) return taken(turn, sending, items);
  const { failure } = result;
  if (failure && isAboutItems(failure)) return sendWithoutFaulty(turn, runId, items, failure, sending);
  if (failure && isInternal(failure) && batch.attempts > 0) {
    const controlled = await control(turn, runId, "trusting");
    if (controlled.kind === "taken") return sendWithoutFaulty(turn, runId, items, failure, sending);
  }
  return stop(turn, failure);
}

/**
 * Writes a part of a batch. The last has the batch's token, by which what was sent is seen to be in MLflow later; what is in
 * a part before it nobody would ever look for. So each of these has a mark of its own in the same tag, and is looked for at
 * once: what answers in MLflow's place cannot be told from MLflow by its words.
 */
async function write(turn: Turn, runId: string, items: Items, sending: Sending) {
  const mark = items.tags.some(({ key }) => isBatchTag(key)) ? null : sending.newMark();
  const marked = mark === null ? items : { ...items, tags: [...items.tags, mark] };
  const writing = writingOf(marked);
  const result = await turn.write(writing, (mlflow) => mlflow.logBatch(payload(runId, marked)));
  if (!result.ok || mark === null) return result;
  const seen = await poll(
    LOOKS - 1,
    () => LOOK_MS,
    async () => {
      const run = await turn.call(() => turn.deps.mlflow.getRun(runId));
      if (!run.ok) return run;
      return hasToken(run.value, mark.value) ? result : null;
    },
  );
  if (!seen?.ok) turn.unseen(writing);
  return seen ?? { ok: false as const, failure: SWALLOWED };
}

const SWALLOWED = senseless(
  { access: "write", target: "id" },
  "a part of a batch was said to be taken and is not in the run",
  200,
);

/** What MLflow has of a batch is nobody's edit there, though the turn may end before the rest is sent. */
async function taken(turn: Turn, sending: Sending, { metrics, tags }: Items): Promise<Step> {
  sending.without({ metrics, params: [], tags: [] });
  const isLast = tags.some(({ key }) => isBatchTag(key));
  if (!isLast) await agreeOnSeen(turn.deps.db, turn.lease, sending.batch, tags);
  return proceed;
}

/** An answer that may be about what was sent, if it comes again while the server takes other writes. */
function isInternal({ kind, code }: Failure): boolean {
  return kind === "transient" && code === "INTERNAL_ERROR";
}

/** The failures that are about what was sent and not about the server or the run. */
export function isAboutItems(failure: Failure): boolean {
  return failure.kind === "conflict" || failure.kind === "duplicate" || failure.kind === "invalid";
}

/** Finds the items at fault, sets them aside with their reason, and sends the rest. */
export async function sendWithoutFaulty(
  turn: Turn,
  runId: string,
  items: Items,
  failure: Failure,
  sending: Sending,
): Promise<Step> {
  const rest =
    failure.kind === "conflict"
      ? await unconflicted(turn, runId, items)
      : failure.kind === "duplicate"
        ? await unstored(turn, runId, items)
        : ({ ok: true, value: items } as const);
  if (!rest.ok) return rest;
  if (countOf(rest.value) < countOf(items)) return sendItems(turn, runId, rest.value, sending);
  if (countOf(items) === 1) return lastTries(turn, runId, items, failure, sending);
  for (const half of pieces(items, Math.ceil(countOf(items) / 2))) {
    const sent = await sendItems(turn, runId, half, sending);
    if (!sent.ok) return sent;
  }
  return proceed;
}

/** Sets an item aside that is refused whenever it is sent, while the server takes another write to the run each time. */
async function lastTries(
  turn: Turn,
  runId: string,
  items: Items,
  failure: Failure,
  sending: Sending,
): Promise<Step> {
  // What stands between refuses by size, and may be set otherwise.
  if (failure.code === null) return stop(turn, failure);
  const [tries, how] = isInternal(failure)
    ? ([TRIES.internal, "afresh"] as const)
    : ([TRIES.refused, "trusting"] as const);
  for (let i = 0; i < tries; i++) {
    const controlled = await control(turn, runId, how);
    if (controlled.kind !== "taken")
      return stop(turn, controlled.kind === "failed" ? controlled.failure : null);
    const sent = await write(turn, runId, items, sending);
    if (sent.ok) return taken(turn, sending, items);
    if (sent.failure?.kind !== failure.kind || sent.failure.code !== failure.code)
      return stop(turn, sent.failure);
  }
  turn.trust--;
  await setAside(turn, items, failure);
  sending.without(items);
  sending.setAside++;
  return proceed;
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

/** What is written, and the token of the batch that ends with it. */
function writingOf({ tags }: Items): Writing {
  const token = tags.find(({ key }) => isBatchTag(key))?.value;
  return { call: "runs/log-batch", ...(token === undefined ? {} : { token }) };
}

/** A log-batch with its values as numbers. */
export function payload(runId: string, items: Items) {
  return {
    ...items,
    runId,
    metrics: items.metrics.map((metric) => ({ ...metric, value: fromWire(metric.value) })),
  };
}
