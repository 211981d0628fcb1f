import * as z from "zod";
import { letter, letterListed } from "../../answers/ops.ts";
import { count, nextCursor } from "../../answers/parts.ts";
import { map } from "../../domain/fields.ts";
import { LETTER_KINDS, LETTER_STATES } from "../../domain/words.ts";
import { ok, resource } from "../contract.ts";
import { dryRun } from "../door/json-body.ts";
import { maybe, oneOf, paging, someText } from "../door/query.ts";
import { STUDY } from "../examples.ts";

const filter = {
  kind: maybe(oneOf(LETTER_KINDS), "What was refused."),
  model_run_id: maybe(someText, "The trainer's id of the model run."),
  trial_id: maybe(someText, "The trainer's id of the trial."),
  key: maybe(someText, "The name of the metric, parameter or tag."),
  reason: maybe(someText, "Any part of the reason."),
};

const letters = z
  .object({ dead_letters: z.array(letterListed), next_cursor: nextCursor })
  .meta({ id: "DeadLetterList" });

const bulk = z
  .strictObject({
    filter: z
      .strictObject(filter, "must be an object of filters")
      .describe("Which open letters; an empty one means all."),
    dry_run: dryRun.describe("Say which would be settled, and settle none."),
  })
  .meta({ id: "DeadLetterBulk" });
export type Bulk = z.output<typeof bulk>;

const settled = z
  .object({
    action: z.enum(["replay", "drop"]),
    dry_run: z.boolean(),
    matching: count.describe("How many match."),
    count: count.describe("How many were, or would be, settled by this request: at most 500."),
    more: z.boolean().describe("Whether others are left for the next request."),
    sample: z.array(letterListed).describe("The first ten."),
  })
  .meta({ id: "DeadLettersSettled" });
export type SettledLetters = z.output<typeof settled>;

const edit = z
  .strictObject({
    item: map
      .optional()
      .describe("In place of the item: `key`, `value`, and for a metric `step` and `timestamp`."),
  })
  .meta({ id: "DeadLetterEdit" });

const nothing = z
  .strictObject({})
  .meta({ id: "Nothing", description: "An empty object, or no body at all." });

const id = { id: { description: "The dead letter's number.", example: "1" } };

const which = {
  description: "Which letters.",
  schema: bulk,
  examples: { dry: { summary: "A dry run", value: { filter: { model_run_id: STUDY }, dry_run: true } } },
};

/** `/api/ops/dead-letters`: what MLflow refused for good. */
export const deadLetters = resource(
  "Dead letters",
  "Items that MLflow refused for good, to be looked at, sent again or dropped.",
  {
    listDeadLetters: {
      at: "GET /api/ops/dead-letters",
      summary: "List dead letters",
      description: "Newest first.",
      scope: "admin",
      query: {
        ...paging,
        ...filter,
        state: oneOf(LETTER_STATES)
          .default("open")
          .meta({ description: "What became of it.", example: "open" }),
      },
      answers: ok("A page of dead letters; open ones unless asked.", letters),
    },
    getDeadLetter: {
      at: "GET /api/ops/dead-letters/:id",
      summary: "Read a dead letter",
      scope: "admin",
      path: id,
      query: {},
      answers: ok("The letter, and where its trial stands.", letter),
      refusals: [404],
    },
    dropDeadLetters: {
      at: "POST /api/ops/dead-letters/drop",
      summary: "Drop dead letters",
      scope: "admin",
      body: which,
      answers: ok("What was, or would be, dropped.", settled),
    },
    replayDeadLetters: {
      at: "POST /api/ops/dead-letters/replay",
      summary: "Replay dead letters",
      scope: "admin",
      body: which,
      answers: ok("What was, or would be, replayed.", settled),
    },
    dropDeadLetter: {
      at: "POST /api/ops/dead-letters/:id/drop",
      summary: "Drop a dead letter",
      scope: "admin",
      path: id,
      body: {
        description: "Nothing.",
        schema: nothing,
        examples: { nothing: { summary: "Nothing", value: {} } },
      },
      answers: ok("The letter, dropped.", letter),
      refusals: [404, 409],
    },
    replayDeadLetter: {
      at: "POST /api/ops/dead-letters/:id/replay",
      summary: "Replay a dead letter",
      description:
        "Puts the item on its way again, as it was or edited. A dropped letter can be replayed too.",
      scope: "admin",
      path: id,
      body: {
        description: "An edited item, or nothing.",
        schema: edit,
        examples: { asItWas: { summary: "As it was", value: {} } },
      },
      answers: ok("The letter, replayed.", letter),
      refusals: [404, 409],
    },
  },
);
