import * as z from "zod";
import { isMap } from "../../domain/flatten.ts";
import { buryAll } from "../../store/delivery/dead-letters.ts";
import type { Deps } from "../deps.ts";
import type { RelayMessage } from "../messages.ts";

/** The event as text: whatever is amiss with it must not keep the letter from being read. */
const buried = z.object({ kind: z.literal("journal"), event: z.string() });
const message = z.custom<RelayMessage>(isMap);

/** What is shown of an event beside its text, where it is one as this build knows it. */
const named = z
  .object({
    type: z.string().nullable().catch(null),
    id: z.string().nullable().catch(null),
    stream: z
      .object({ modelRunId: z.string().nullable(), trialId: z.string().nullable() })
      .catch({ modelRunId: null, trialId: null }),
  })
  .catch({ type: null, id: null, stream: { modelRunId: null, trialId: null } });

/** Keeps events that were acknowledged and that the journal cannot take, each with its reason. */
export async function buryEvents(
  { db, now }: Pick<Deps, "db" | "now">,
  events: readonly { event: unknown; reason: string }[],
): Promise<void> {
  const reasons = new Map(events.map(({ event, reason }) => [letterOf(event), reason]));
  await buryAll(
    db,
    Array.from(reasons, ([item, reason]) => ({
      streamId: null,
      kind: "message" as const,
      item,
      reason,
      createdAt: now(),
    })),
  );
}

function letterOf(event: unknown): string {
  const { type, id, stream } = named.parse(event);
  return JSON.stringify({
    kind: "journal",
    type,
    event_id: id,
    model_run_id: stream.modelRunId,
    trial_id: stream.trialId,
    event: JSON.stringify(event),
  });
}

/** The message of a letter that is of no trial, to be tried again; null where it was none of anybody's. */
export function buriedMessage(item: string): RelayMessage | null {
  const body: unknown = JSON.parse(item);
  const letter = buried.safeParse(body);
  return letter.success
    ? { kind: "journal", events: [JSON.parse(letter.data.event)] }
    : (message.safeParse(body).data ?? null);
}
