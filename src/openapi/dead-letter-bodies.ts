import * as z from "zod";
import { LETTER_KINDS, LETTER_STATES } from "../domain/words.ts";
import { component } from "./components.ts";
import { count, delivery, json, maybeText, maybeTime, nextCursor, owner, time } from "./parts.ts";

/** What is asked and answered about dead letters. */

const listed = {
  id: z.int(),
  ...owner,
  kind: z.enum(LETTER_KINDS),
  state: z.enum(LETTER_STATES),
  item: json.describe("The item as it was refused."),
  reason: z.string().describe("Why, in MLflow's words."),
  mlflow_status: z.int().nullable().describe("The HTTP status of MLflow's answer."),
  mlflow_code: maybeText.describe("Its error code."),
  created_at: time,
  settled_at: maybeTime.describe("When it was replayed or dropped."),
};

const letterListed = component("DeadLetterListed", z.object(listed));

export const letter = component(
  "DeadLetter",
  z.object({
    ...listed,
    delivery: z.object(delivery).nullable().describe("Where its trial or model run stands."),
  }),
);

export const letters = component(
  "DeadLetterList",
  z.object({ dead_letters: z.array(letterListed), next_cursor: nextCursor }),
);

const text = z.string().min(1).optional();

export const bulk = component(
  "DeadLetterBulk",
  z.object({
    filter: z
      .object({
        kind: z.enum(LETTER_KINDS).optional(),
        model_run_id: text,
        trial_id: text,
        key: text.describe("The name of the metric, parameter or tag."),
        reason: text.describe("Any part of the reason."),
      })
      .describe("Which open letters; an empty one means all."),
    dry_run: z.boolean().optional().describe("Say which would be settled, and settle none."),
  }),
);

export const settled = component(
  "DeadLettersSettled",
  z.object({
    action: z.enum(["replay", "drop"]),
    dry_run: z.boolean(),
    matching: count.describe("How many match."),
    count: count.describe("How many were, or would be, settled by this request: at most 500."),
    more: z.boolean().describe("Whether others are left for the next request."),
    sample: z.array(letterListed).describe("The first ten."),
  }),
);

export const edit = component(
  "DeadLetterEdit",
  z.object({
    item: z
      .record(z.string(), json)
      .optional()
      .describe("In place of the item: `key`, `value`, and for a metric `step` and `timestamp`."),
  }),
);

export const nothing = component("Nothing", z.object({}).describe("An empty object, or no body at all."));
