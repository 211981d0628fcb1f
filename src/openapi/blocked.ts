import * as z from "zod";
import { BLOCKED_KINDS } from "../domain/blocked.ts";
import { UNBLOCK_ACTIONS } from "../relay/unblock.ts";
import { streams } from "../store/schema.ts";
import { component } from "./components.ts";
import { STUDY } from "./examples.ts";
import type { Body, Resource } from "./operation.ts";
import {
  count,
  maybeText,
  nextCursor,
  owner,
  paging,
  pathText,
  textFilter,
  trialId,
  wordFilter,
} from "./parts.ts";

const block = {
  blocked_kind: z.enum(BLOCKED_KINDS),
  blocked_on: maybeText.describe("What it waits for: an experiment's name, or a run's id."),
  blocked_reason: z.string().describe("The same in words."),
};

const blockedList = component(
  "BlockedList",
  z.object({
    blocked: z.array(
      z.object({
        kind: z.enum(streams.kind.enumValues),
        ...owner,
        ...block,
        forgotten: z.boolean(),
        experiment_name: maybeText,
        mlflow_experiment_id: maybeText,
        mlflow_run_id: maybeText,
        undelivered_events: count,
      }),
    ),
    next_cursor: nextCursor,
  }),
);

const request = component(
  "UnblockRequest",
  z.object({
    action: z
      .enum(UNBLOCK_ACTIONS)
      .describe(
        "`restore` what was deleted in MLflow; `recreate` it as a new run, with the whole journal; `forget` it.",
      ),
    dry_run: z.boolean().optional().describe("Say what would be done, and do nothing."),
  }),
);

const change = component(
  "UnblockChange",
  z.union([
    z.object({
      change: z.literal("restore_experiment"),
      experiment_id: z.string(),
      name: z.string(),
      also_frees: count.describe("Others that stood still for the same reason."),
    }),
    z.object({ change: z.enum(["restore_run", "refuse_run"]), run_id: z.string() }),
    z.object({ change: z.literal("new_run"), instead_of: maybeText }),
    z.object({ change: z.enum(["deliver", "forget"]) }),
  ]),
);

const unblocked = component(
  "Unblocked",
  z.object({
    ...owner,
    action: z.enum(UNBLOCK_ACTIONS),
    dry_run: z.boolean(),
    ...block,
    changes: z.array(change).describe("What was, or would be, done, in this order."),
  }),
);

const body: Body = {
  description: "What to do.",
  contents: [
    {
      schema: request,
      examples: { dry: { summary: "A dry run", value: { action: "restore", dry_run: true } } },
    },
  ],
};

/** What stands still because MLflow lost it. */
export const blockedResource: Resource = {
  name: "Blocked",
  description: "Trials and model runs whose run or experiment MLflow has no more, and how they go on.",
  operations: {
    "GET /api/ops/blocked": {
      id: "listBlocked",
      summary: "List what is blocked",
      scope: "admin",
      parameters: [
        wordFilter("kind", "Trials or model runs.", streams.kind.enumValues),
        textFilter("model_run_id", "The trainer's id of the model run."),
        {
          ...wordFilter("forgotten", "Those that were given up instead.", ["true", "false"]),
          example: "false",
        },
        ...paging,
      ],
      answers: { 200: { description: "A page of them, newest first.", schema: blockedList } },
      refusals: [400],
    },
    "POST /api/ops/trials/{id}/unblock": {
      id: "unblockTrial",
      summary: "Unblock a trial",
      scope: "admin",
      parameters: [trialId],
      body,
      answers: { 200: { description: "What was, or would be, done.", schema: unblocked } },
      refusals: [400, 404, 409, 503],
    },
    "POST /api/ops/model-runs/{id}/unblock": {
      id: "unblockModelRun",
      summary: "Unblock a model run",
      scope: "admin",
      parameters: [pathText("id", "The trainer's id of the model run.", STUDY)],
      body,
      answers: { 200: { description: "What was, or would be, done.", schema: unblocked } },
      refusals: [400, 404, 409, 503],
    },
  },
};
