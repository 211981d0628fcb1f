import * as z from "zod";
import { isJournalEvent, type JournalEvent } from "../domain/journal-event.ts";

/**
 * What the queues carry: a reference to a stream that is behind, events on their way round a database that refuses, an
 * experiment or a logged model that changed, the breaker's alarm clock; what operators and the cron ask for, and a run
 * that is to be followed; a file on its way to MLflow. `events` are journal events, but another build may have sent them:
 * `readMessage` tells.
 */
export type RelayMessage =
  | { kind: "poke"; streamId: number }
  | { kind: "journal"; events: readonly unknown[] }
  | { kind: "experiment"; id: string }
  | { kind: "model"; id: string }
  | { kind: "probe" }
  | { kind: "artifact"; id: number }
  | { kind: "job"; jobId: string }
  | { kind: "follow"; runId: string };

/** The message that a stream is behind. */
export function pokeMessage(streamId: number): RelayMessage {
  return { kind: "poke", streamId };
}

/** The message that an experiment changed. */
export function experimentMessage(id: string): RelayMessage {
  return { kind: "experiment", id };
}

/** The message that a logged model changed. */
export function modelMessage(id: string): RelayMessage {
  return { kind: "model", id };
}

/** The message that a file is to go to MLflow. */
export function artifactMessage(id: number): RelayMessage {
  return { kind: "artifact", id };
}

/** The message that a job is to be worked on. */
export function jobMessage(jobId: string): RelayMessage {
  return { kind: "job", jobId };
}

/** The message that a run is to be followed. */
export function followMessage(runId: string): RelayMessage {
  return { kind: "follow", runId };
}

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
  z.object({ kind: z.literal("experiment"), id: z.string() }),
  z.object({ kind: z.literal("model"), id: z.string() }),
  z.object({ kind: z.literal("probe") }),
  z.object({ kind: z.literal("artifact"), id: z.int() }),
  z.object({ kind: z.literal("job"), jobId: z.string() }),
  z.object({ kind: z.literal("follow"), runId: z.string() }),
]);

/**
 * A queue's message as this build understands it; null for one that it does not: while two builds run side by side,
 * either takes what the other sent.
 */
export function readMessage(body: unknown): z.output<typeof message> | null {
  return message.safeParse(body).data ?? null;
}
