import { uuidv7 } from "uuidv7";
import type { CheckedEvent } from "../../domain/reading.ts";
import { type JournalEvent, streamIdentity } from "../../domain/types.ts";
import { canonicalJson } from "../../domain/values.ts";

const HEX_CHARS = 32;

/** The first 128 bits of a SHA-256, in hex. */
export async function digest(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return bytes.toHex().slice(0, HEX_CHARS);
}

export type Received = {
  event: CheckedEvent;
  /** The body as parsed, for its hash. */
  body: Record<string, unknown>;
  /** Where it stands in its request. */
  index: number;
};

/**
 * Fixes who an event is, once, before any store is tried. Its id is its `event_id`; else the request's
 * Idempotency-Key and the index; else, if the body carries a time of its own or is a metric's with a step, the body's
 * hash; else fresh. An end with a step is known by its content all the same, as far as nothing came between.
 * @param acceptedAt epoch milliseconds; the event's time where the trainer gave none.
 */
export async function identify(
  received: Received,
  idempotencyKey: string | null,
  acceptedAt: number,
): Promise<JournalEvent> {
  const { event, body, index } = received;
  // A null says as little as an absent field, so that with it the body is the same.
  const said = Object.entries(body).filter(([name, value]) => name !== "event_id" && value !== null);
  const [hash, key, parentKey] = await Promise.all([
    digest(canonicalJson(Object.fromEntries(said))),
    digest(streamIdentity(event.modelRunId, event.trialId)),
    digest(streamIdentity(event.modelRunId, null)),
  ]);
  const occurredAt = event.occurredAt ?? acceptedAt;
  const id = event.eventId ?? derivedId(event, hash, idempotencyKey, index);
  return {
    stream: {
      key,
      kind: event.trialId === null ? "model_run" : "trial",
      modelRunId: event.modelRunId,
      trialId: event.trialId,
      parentKey: event.trialId === null ? null : parentKey,
    },
    id: id ?? uuidv7(),
    type: event.type,
    hash,
    occurredAt,
    acceptedAt,
    correlationId: event.correlationId ?? uuidv7(),
    facts: event.facts,
    points: event.points.map((point) => ({ ...point, timestamp: occurredAt })),
    ...(id === null && event.hasStep ? { byContent: true } : {}),
    ...(event.warnings.length > 0 ? { warnings: event.warnings } : {}),
  };
}

/** Null: nothing tells it for good from the same thing said anew. */
function derivedId(
  event: CheckedEvent,
  hash: string,
  idempotencyKey: string | null,
  index: number,
): string | null {
  if (idempotencyKey !== null) return `key:${idempotencyKey}:${index}`;
  const isKnown = event.occurredAt !== null || (event.hasStep && event.type === "ml.run.metric");
  return isKnown ? `sha256:${hash}` : null;
}
