import type { Facts, JournalEvent, RelayEventType } from "../../domain/types.ts";

/** Whose journal it goes into: a stream, by its public id and the trainer's own ids. */
type Owner = { key: string; kind: "trial" | "model_run"; modelRunId: string | null; trialId: string | null };

/**
 * What the relay itself has to say of a stream, as an event of its journal. The same `id` again changes nothing.
 * Times are epoch milliseconds; it occurred when it is accepted, unless told.
 */
export function relayEvent(
  { key, kind, modelRunId, trialId }: Owner,
  said: { type: RelayEventType; id: string; facts: Facts; acceptedAt: number; occurredAt?: number },
): JournalEvent {
  const { type, id, facts, acceptedAt, occurredAt = acceptedAt } = said;
  return {
    stream: { key, kind, modelRunId, trialId, parentKey: null },
    id,
    type,
    hash: id,
    occurredAt,
    acceptedAt,
    correlationId: id,
    facts,
    points: [],
  };
}
