import * as z from "zod";
import { isJournalEvent, type JournalEvent } from "../../domain/journal-event.ts";

/** `strange`: events that this build does not understand. */
type Journal = { kind: "journal"; events: JournalEvent[]; strange: unknown[] };

const journal = z.object({ kind: z.literal("journal"), events: z.array(z.unknown()) }).transform(
  ({ kind, events }): Journal => ({
    kind,
    events: events.filter(isJournalEvent),
    strange: events.filter((event) => !isJournalEvent(event)),
  }),
);

const message = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("poke"), streamId: z.int() }),
  journal,
  z.object({ kind: z.literal("probe") }),
  z.object({ kind: z.literal("job"), jobId: z.string() }),
]);

/**
 * A queue's message as this build understands it; null for one that it does not: while two builds run side by side,
 * either takes what the other sent.
 */
export function readMessage(body: unknown): z.output<typeof message> | null {
  return message.safeParse(body).data ?? null;
}
