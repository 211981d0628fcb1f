import * as z from "zod";
import { factsSchema, wireNumber } from "./facts-schema.ts";
import { warningSchema } from "./warnings.ts";
import { EVENT_TYPES, GATEWAY_EVENT_TYPES, RELAY_EVENT_TYPES, STREAM_KINDS } from "./words.ts";

/**
 * An event as the journal takes it, and as a queue's message holds it: one schema, from which the type comes. Another
 * build may have sent the message, so that what it does not know is not overlooked here, but refused.
 */

const text = z.string();

/** Which journal an event belongs to. `key` is the public id, `parentKey` the model run's. */
const streamRef = z.strictObject({
  key: text,
  kind: z.enum(STREAM_KINDS),
  modelRunId: text.nullable(),
  trialId: text.nullable(),
  parentKey: text.nullable(),
});

/** One metric observation. */
const point = z.strictObject({ key: text, value: wireNumber, step: z.int(), timestamp: z.int() });

const journalEvent = z.strictObject({
  stream: streamRef,
  id: text,
  type: z.enum([...EVENT_TYPES, ...RELAY_EVENT_TYPES, ...GATEWAY_EVENT_TYPES]),
  hash: text,
  occurredAt: z.int(),
  acceptedAt: z.int(),
  correlationId: text,
  facts: z.strictObject(factsSchema.shape).nullable(),
  points: z.array(point),
  /**
   * It has a step, and neither an id nor a time: the same body again brings no points, and says something new only
   * if something else was said in between. Absent: its id tells.
   */
  byContent: z.boolean().exactOptional(),
  /** What was not taken as the trainer sent it; absent when all was. */
  warnings: z.array(warningSchema).exactOptional(),
});

/** Checked, normalised, its id and times fixed for good. Times are epoch milliseconds. */
export type JournalEvent = z.output<typeof journalEvent>;
export type StreamRef = z.output<typeof streamRef>;
export type Point = z.output<typeof point>;

/** Whether this build understands all of it. */
export function isJournalEvent(event: unknown): event is JournalEvent {
  return journalEvent.safeParse(event).success;
}
