import * as z from "zod";
import { count, warnings } from "../../answers/parts.ts";
import { problem } from "../../answers/problem.ts";
import {
  MAX_EVENT_BYTES,
  MAX_EVENT_ID_CHARS,
  MAX_REQUEST_BYTES,
  MAX_REQUEST_EVENTS,
} from "../../domain/limits.ts";
import { EVENT_TYPES } from "../../domain/types.ts";
import { resource } from "../contract.ts";
import { metricPoints, trialStart, wholeStudy } from "../examples.ts";
import { eventRequest } from "./bodies.ts";

const taken = z.object({
  success: z.literal(true),
  event_id: z.string().describe("The event's own id, or the one that the relay gave it."),
  event_name: z.enum(EVENT_TYPES),
  correlation_id: z.string(),
  message: z.string(),
  duplicate: z.literal(true).exactOptional().describe("The same event was taken before."),
  warnings: warnings.exactOptional().describe("What was not taken as it was sent, the first hundred."),
  more_warnings: count.exactOptional().describe("How many more there were than are said."),
});
export type EventTaken = z.output<typeof taken>;

const eventTaken = taken.meta({ id: "EventTaken", description: "The answer to a single event." });

const result = z
  .union([z.object({ index: count, ...taken.shape }), z.object({ index: count, ...problem.shape })])
  .meta({ id: "EventResult" });

const results = z.object({ accepted: count, duplicates: count, rejected: count, results: z.array(result) });
export type EventResults = z.output<typeof results>;

const eventsTaken = z
  .object({ success: z.literal(true), ...results.shape, message: z.string() })
  .meta({ id: "EventsTaken", description: "The answer to several events, when at least one was taken." });

const accepted = z.union([eventTaken, eventsTaken]).meta({ id: "EventsAccepted" });

const eventsRefused = z.object({ ...problem.shape, ...results.partial().shape }).meta({
  id: "EventsRefused",
  description: "Of several events none was taken: the first one's problem, and a result each.",
});
export type EventsRefused = z.output<typeof eventsRefused>;

const ndjson = z.string().meta({ id: "Ndjson", description: "One event a line." });
const TWO_LINES = [trialStart, metricPoints].map((event) => JSON.stringify(event)).join("\n");

const ONE_TAKEN = {
  success: true,
  event_id: "sha256:5d1f0c7b0b6ea2a1f6d6a5b0f6c3a9d2",
  event_name: "ml.run.metric",
  correlation_id: "019a4a5e-6f0e-7d3c-9c55-0d2f1f6f3a11",
  message: "Event accepted for processing",
};

function refused(description: string) {
  return { description, type: "application/problem+json", schema: eventsRefused };
}

/** `/api/events`: how trainers report. */
export const events = resource("Events", "What trainers send.", {
  postEvents: {
    at: "POST /api/events/ml",
    summary: "Send events",
    description: `One event, a JSON array, or NDJSON: up to ${MAX_REQUEST_EVENTS.toLocaleString("en")} events or ${MAX_REQUEST_BYTES / 1e6} MB, and ${MAX_EVENT_BYTES / 1000} kB an event, not counting metrics with a step. 202 means that what was taken is kept. A bad item loses nothing beside it, nor does a bad detail within one: what was not taken as it was sent is in \`warnings\`. When none was taken, the status is the first item's own. Sending again is safe for events with an \`event_id\`, a time or a step of their own, or under an \`Idempotency-Key\`.`,
    scope: "ingest",
    headers: {
      "Idempotency-Key": z
        .string()
        .min(1)
        .max(MAX_EVENT_ID_CHARS)
        .optional()
        .describe("Makes sending the whole request again safe, for events without an id."),
    },
    sent: {
      description:
        "The events, in UTF-8, with `Content-Encoding: gzip` or `deflate` if you like. NaN and infinities are taken as text, or bare as Python writes them.",
      contents: [
        {
          schema: eventRequest,
          examples: {
            study: { summary: "A whole study", value: wholeStudy },
            metrics: { summary: "Metric points", value: metricPoints },
          },
        },
        {
          type: "application/x-ndjson",
          schema: ndjson,
          examples: { lines: { summary: "An event a line", value: TWO_LINES } },
        },
      ],
    },
    answers: {
      202: {
        description: "Kept. `Idempotent-Replayed: true` when all of it was known.",
        schema: accepted,
        examples: { one: { summary: "To one event", value: ONE_TAKEN } },
      },
      400: refused("Not JSON, no such event type, or a required field is missing."),
      409: refused("An `event_id` that was used before with another body."),
      413: refused("The request, or an event in it, is too large."),
      422: refused(
        "A field that gives the event its meaning does not hold what it must, or nothing of its content can be taken.",
      ),
    },
  },
});
