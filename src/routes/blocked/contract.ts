import * as z from "zod";
import { block, blockedListed, change } from "../../answers/ops.ts";
import { nextCursor, owner } from "../../answers/parts.ts";
import { STREAM_KINDS } from "../../domain/words.ts";
import { UNBLOCK_ACTIONS } from "../../relay/repair/changes.ts";
import { ok, resource } from "../contract.ts";
import { dryRun } from "../door/json-body.ts";
import { maybe, oneOf, paging, someText, yesOrNo } from "../door/query.ts";
import { modelRunId, trialId } from "../examples.ts";

const blockedList = z
  .object({ blocked: z.array(blockedListed), next_cursor: nextCursor })
  .meta({ id: "BlockedList" });

const request = z
  .strictObject({
    action: oneOf(UNBLOCK_ACTIONS).describe(
      "`restore` what was deleted in MLflow; `recreate` it as a new run, with the whole journal; `forget` it.",
    ),
    dry_run: dryRun.describe("Say what would be done, and do nothing."),
  })
  .meta({ id: "UnblockRequest" });
export type UnblockRequest = z.output<typeof request>;

const unblocked = z
  .object({
    ...owner.shape,
    action: z.enum(UNBLOCK_ACTIONS),
    dry_run: z.boolean(),
    ...block,
    changes: z.array(change).describe("What was, or would be, done, in this order."),
  })
  .meta({ id: "Unblocked" });
export type UnblockedView = z.output<typeof unblocked>;

/** What unblocking takes and answers, of whatever. */
const unblocking = {
  scope: "admin",
  body: {
    description: "What to do.",
    schema: request,
    examples: { dry: { summary: "A dry run", value: { action: "restore", dry_run: true } } },
  },
  answers: ok("What was, or would be, done.", unblocked),
  refusals: [404, 409],
} as const;

/** What stands still because MLflow lost it. */
export const blocked = resource(
  "Blocked",
  "Trials and model runs whose run or experiment MLflow has no more, and how they go on.",
  {
    listBlocked: {
      at: "GET /api/ops/blocked",
      summary: "List what is blocked",
      scope: "admin",
      query: {
        ...paging,
        kind: maybe(oneOf(STREAM_KINDS), "Trials or model runs."),
        model_run_id: maybe(someText, "The trainer's id of the model run."),
        forgotten: yesOrNo
          .prefault("false")
          .meta({ description: "Those that were given up instead.", example: "false" }),
      },
      answers: ok("A page of them, newest first.", blockedList),
    },
    unblockTrial: {
      at: "POST /api/ops/trials/:id/unblock",
      summary: "Unblock a trial",
      path: trialId,
      ...unblocking,
    },
    unblockModelRun: {
      at: "POST /api/ops/model-runs/:id/unblock",
      summary: "Unblock a model run",
      path: modelRunId,
      ...unblocking,
    },
  },
);
