import { fromWire } from "../domain/values.ts";
import type { Failure } from "../mlflow/failure.ts";
import { countOf, type Items, pieces } from "../mlflow/plan.ts";
import { bury } from "../store/dead-letters.ts";
import { unconflicted } from "./params.ts";
import type { Step, Turn } from "./turn.ts";
import { unstored } from "./verify-points.ts";

const CONTROL_TAG = "relay.control";
/** A batch that a server answers with "internal error" so often, while it answers others, holds something bad. */
const MAX_INTERNAL_ERRORS = 8;

export type Sent =
  | { ok: true; value: undefined }
  | { ok: false; over: boolean; end: Extract<Step, { ok: false }>["end"] };

/** Sends items under the turn's lease; those at fault are found and set aside, and the rest goes on. */
export async function sendItems(turn: Turn, runId: string, items: Items, attempts: number): Promise<Sent> {
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
export function isAboutItems(failure: Failure): boolean {
  return failure.kind === "conflict" || failure.kind === "duplicate" || failure.kind === "invalid";
}

/** Finds the items at fault, sets them aside with their reason, and sends the rest. */
export async function settle(
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

/** A log-batch with its values as numbers. */
export function payload(runId: string, items: Items) {
  return {
    ...items,
    runId,
    metrics: items.metrics.map((metric) => ({ ...metric, value: fromWire(metric.value) })),
  };
}
