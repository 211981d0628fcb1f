import { LETTER_KINDS, LETTER_STATES } from "../domain/words.ts";
import { bulk, edit, letter, letters, nothing, settled } from "./dead-letter-bodies.ts";
import { STUDY } from "./examples.ts";
import type { Resource } from "./operation.ts";
import { paging, pathText, textFilter, wordFilter } from "./parts.ts";

const id = pathText("id", "The dead letter's number.", "1");
const bulkBody = {
  description: "Which letters.",
  contents: [
    {
      schema: bulk,
      examples: {
        dry: { summary: "A dry run", value: { filter: { model_run_id: STUDY }, dry_run: true } },
      },
    },
  ],
};

/** `/api/ops/dead-letters`: what MLflow refused for good. */
export const deadLettersResource: Resource = {
  name: "Dead letters",
  description: "Items that MLflow refused for good, to be looked at, sent again or dropped.",
  operations: {
    "GET /api/ops/dead-letters": {
      id: "listDeadLetters",
      summary: "List dead letters",
      description: "Newest first.",
      scope: "admin",
      parameters: [
        { ...wordFilter("state", "What became of it.", LETTER_STATES), example: "open" },
        wordFilter("kind", "What was refused.", LETTER_KINDS),
        textFilter("model_run_id", "The trainer's id of the model run."),
        textFilter("trial_id", "The trainer's id of the trial."),
        textFilter("key", "The name of the metric, parameter or tag."),
        textFilter("reason", "Any part of the reason."),
        ...paging,
      ],
      answers: { 200: { description: "A page of dead letters; open ones unless asked.", schema: letters } },
      refusals: [400],
    },
    "GET /api/ops/dead-letters/{id}": {
      id: "getDeadLetter",
      summary: "Read a dead letter",
      scope: "admin",
      parameters: [id],
      answers: { 200: { description: "The letter, and where its trial stands.", schema: letter } },
      refusals: [400, 404],
    },
    "POST /api/ops/dead-letters/drop": {
      id: "dropDeadLetters",
      summary: "Drop dead letters",
      scope: "admin",
      body: bulkBody,
      answers: { 200: { description: "What was, or would be, dropped.", schema: settled } },
      refusals: [400],
    },
    "POST /api/ops/dead-letters/replay": {
      id: "replayDeadLetters",
      summary: "Replay dead letters",
      scope: "admin",
      body: bulkBody,
      answers: { 200: { description: "What was, or would be, replayed.", schema: settled } },
      refusals: [400],
    },
    "POST /api/ops/dead-letters/{id}/drop": {
      id: "dropDeadLetter",
      summary: "Drop a dead letter",
      scope: "admin",
      parameters: [id],
      body: {
        description: "Nothing.",
        contents: [{ schema: nothing, examples: { nothing: { summary: "Nothing", value: {} } } }],
      },
      answers: { 200: { description: "The letter, dropped.", schema: letter } },
      refusals: [400, 404, 409],
    },
    "POST /api/ops/dead-letters/{id}/replay": {
      id: "replayDeadLetter",
      summary: "Replay a dead letter",
      description:
        "Puts the item on its way again, as it was or edited. A dropped letter can be replayed too.",
      scope: "admin",
      parameters: [id],
      body: {
        description: "An edited item, or nothing.",
        contents: [{ schema: edit, examples: { asItWas: { summary: "As it was", value: {} } } }],
      },
      answers: { 200: { description: "The letter, replayed.", schema: letter } },
      refusals: [400, 404, 409, 422],
    },
  },
};
