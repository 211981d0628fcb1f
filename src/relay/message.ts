import * as z from "zod";
import { type JournalEvent, journalEvent } from "../domain/journal-event.ts";

/** `strange`: events that this build does not understand. */
type Journal = { kind: "journal"; events: JournalEvent[]; strange: unknown[] };

const journal = z
  .object({ kind: z.literal("journal"), events: z.array(z.unknown()) })
  .transform(({ kind, events }): Journal => {
    const read = events.map((event) => journalEvent.safeParse(event));
    return {
      kind,
      events: read.flatMap(({ data }) => data ?? []),
      strange: events.filter((_, i) => !read[i]?.success),
    };
  });

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
