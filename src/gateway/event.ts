import { uuidv7 } from "uuidv7";
import type { Facts, JournalEvent } from "../domain/types.ts";
import type { GatewayEventType } from "../domain/words.ts";
import type { Deps } from "../relay/deps.ts";

/** Whose journal an event goes into: the stream's public id, and a trainer's own ids. */
export type Owner = {
  key: string;
  kind: "trial" | "model_run";
  modelRunId: string | null;
  trialId: string | null;
};

/**
 * What a client of MLflow says, as an event: it has no id but its own and no time but now, since the same again is said
 * anew. What it says of points, parameters and tags tells a repeat, as in MLflow.
 */
export function gatewayEvent(
  { now }: Pick<Deps, "now">,
  { key, kind, modelRunId, trialId }: Owner,
  type: GatewayEventType,
  facts: Facts | null,
  points: JournalEvent["points"] = [],
): JournalEvent {
  const id = uuidv7();
  const at = now();
  return {
    stream: { key, kind, modelRunId, trialId, parentKey: null },
    id,
    type,
    hash: id,
    occurredAt: at,
    acceptedAt: at,
    correlationId: id,
    facts,
    points,
  };
}
