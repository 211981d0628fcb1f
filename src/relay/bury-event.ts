import * as z from "zod";
import { isMap } from "../domain/flatten.ts";
import type { JournalEvent } from "../domain/types.ts";
import { bury } from "../store/dead-letters.ts";
import type { Deps } from "./deps.ts";

/** The event as text: whatever is amiss with it must not keep the letter from being read. */
const buried = z.object({ kind: z.literal("journal"), event: z.string() });
const event = z.custom<JournalEvent>(isMap);

/** Keeps an event that was acknowledged and that the database will never take in the journal, with the reason. */
export async function buryEvent(
  { db, now }: Pick<Deps, "db" | "now">,
  event: JournalEvent,
  reason: string,
): Promise<void> {
  const { modelRunId, trialId } = event.stream;
  const item = {
    kind: "journal",
    type: event.type,
    event_id: event.id,
    model_run_id: modelRunId,
    trial_id: trialId,
    event: JSON.stringify(event),
  };
  await bury(db, { streamId: null, kind: "message", item: JSON.stringify(item), reason, createdAt: now() });
}

/** The event of such a letter, to be tried again; null for other letters. */
export function buriedEvent(item: string): JournalEvent | null {
  const letter = buried.safeParse(JSON.parse(item));
  return letter.success ? event.parse(JSON.parse(letter.data.event)) : null;
}
