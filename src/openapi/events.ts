import * as z from "zod";
import { MAX_EVENT_BYTES, MAX_REQUEST_BYTES, MAX_REQUEST_EVENTS } from "../domain/limits.ts";
import { EVENT_TYPES } from "../domain/types.ts";
import { component } from "./components.ts";
import { eventRequest } from "./event-bodies.ts";
import * as example from "./examples.ts";
import type { Resource } from "./operation.ts";
import { count, warnings } from "./parts.ts";
import { problem } from "./problems.ts";

const taken = {
  success: z.literal(true),
  event_id: z.string().describe("The event's own id, or the one that the relay gave it."),
  event_name: z.enum(EVENT_TYPES),
  correlation_id: z.string(),
  message: z.string(),
  duplicate: z.literal(true).optional().describe("The same event was taken before."),
  warnings: warnings.optional().describe("What was not taken as it was sent, the first hundred."),
  more_warnings: count.optional().describe("How many more there were than are said."),
};

const eventTaken = component("EventTaken", z.object(taken).describe("The answer to a single event."));

const result = component(
  "EventResult",
  z.union([z.object({ index: count, ...taken }), problem.extend({ index: count })]),
);

const counts = { accepted: count, duplicates: count, rejected: count, results: z.array(result) };

const eventsTaken = component(
  "EventsTaken",
  z
    .object({ success: z.literal(true), ...counts, message: z.string() })
    .describe("The answer to several events, when at least one was taken."),
);

const accepted = component("EventsAccepted", z.union([eventTaken, eventsTaken]));

const eventsRefused = component(
  "EventsRefused",
  problem
    .extend(z.object(counts).partial().shape)
    .describe("Of several events none was taken: the first one's problem, and a result each."),
);

const refused = (description: string) => ({
  description,
  type: "application/problem+json",
  schema: eventsRefused,
});

/** `/api/events`: how trainers report. */
export const eventsResource: Resource = {
  name: "Events",
  description: "What trainers send.",
  operations: {
    "POST /api/events/ml": {
      id: "postEvents",
      summary: "Send events",
      description: `One event, a JSON array, or NDJSON: up to ${MAX_REQUEST_EVENTS.toLocaleString("en")} events or ${MAX_REQUEST_BYTES / 1e6} MB, and ${MAX_EVENT_BYTES / 1000} kB an event, not counting metrics with a step. 202 means that what was taken is kept. A bad item loses nothing beside it, nor does a bad detail within one: what was not taken as it was sent is in \`warnings\`. When none was taken, the status is the first item's own. Sending again is safe for events with an \`event_id\`, a time or a step of their own, or under an \`Idempotency-Key\`.`,
      scope: "ingest",
      parameters: [
        {
          name: "Idempotency-Key",
          in: "header",
          description: "Makes sending the whole request again safe, for events without an id.",
          schema: { type: "string", minLength: 1, maxLength: 255 },
        },
      ],
      body: {
        description:
          "The events, in UTF-8, with `Content-Encoding: gzip` or `deflate` if you like. NaN and infinities are taken as text, or bare as Python writes them.",
        contents: [
          {
            schema: eventRequest,
            examples: {
              study: { summary: "A whole study", value: example.wholeStudy },
              metrics: { summary: "Metric points", value: example.metricPoints },
            },
          },
          {
            type: "application/x-ndjson",
            schema: component("Ndjson", z.string().describe("One event a line.")),
            examples: {
              lines: {
                summary: "An event a line",
                value: [example.trialStart, example.metricPoints]
                  .map((event) => JSON.stringify(event))
                  .join("\n"),
              },
            },
          },
        ],
      },
      answers: {
        202: {
          description: "Kept. `Idempotent-Replayed: true` when all of it was known.",
          schema: accepted,
          examples: {
            one: {
              summary: "To one event",
              value: {
                success: true,
                event_id: "sha256:5d1f0c7b0b6ea2a1f6d6a5b0f6c3a9d2",
                event_name: "ml.run.metric",
                correlation_id: "019a4a5e-6f0e-7d3c-9c55-0d2f1f6f3a11",
                message: "Event accepted for processing",
              },
            },
          },
        },
        400: refused("Not JSON, no such event type, or a required field is missing."),
        409: refused("An `event_id` that was used before with another body."),
        413: refused("The request, or an event in it, is too large."),
        422: refused(
          "A field that gives the event its meaning does not hold what it must, or nothing of its content can be taken.",
        ),
      },
      refusals: [415, 429, 503],
    },
  },
};
