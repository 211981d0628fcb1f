import * as z from "zod";
import { component } from "./components.ts";
import type { Operation } from "./operation.ts";
import { count, maybeText, nextCursor, paging, textFilter, time } from "./parts.ts";

export const refusal = component(
  "Refusal",
  z.object({
    token_id: z.string().describe("The token's public id."),
    model_run_id: maybeText,
    trial_id: maybeText,
    error: z.string(),
    field: maybeText,
    rule: z.string(),
    value: maybeText.describe("What the field held the last time, cut."),
    count: count.describe("How often."),
    first_at: time,
    last_at: time,
    request_id: z.string().describe("Of the last request, for the log."),
  }),
);

const refusals = component("Refusals", z.object({ refusals: z.array(refusal), next_cursor: nextCursor }));

export const listRefusals: Operation = {
  id: "listRefusals",
  summary: "List what was refused",
  description:
    "What was refused at the door, the last first: one row for each token, trial, error, field and rule. Bounded in number (10,000) and age (14 days); of a flood not every kind is here, but each is counted in `/metrics`.",
  scope: "admin",
  parameters: [
    ...paging,
    textFilter("model_run_id", "Only those of a model run."),
    textFilter("trial_id", "Only those of a trial."),
    textFilter("token_id", "Only those with a token, by its public id."),
    textFilter("error", "Only those of a kind.", "validation_failed"),
  ],
  answers: { 200: { description: "A page of them.", schema: refusals } },
  refusals: [400],
};
