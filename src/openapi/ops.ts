import * as z from "zod";
import { component } from "./components.ts";
import { STUDY, TRIAL, TRIAL_KEY } from "./examples.ts";
import type { Resource } from "./operation.ts";
import { count, limit, maybeText, maybeTime, nextCursor, owner, paging, time, trialId } from "./parts.ts";
import { conflictFields } from "./trial-answers.ts";

const conflictList = component(
  "ConflictList",
  z.object({
    conflicts: z.array(component("Conflict", z.object({ ...conflictFields, ...owner }))),
    next_cursor: nextCursor,
  }),
);

const cronPasses = component(
  "CronPasses",
  z.object({
    cron_passes: z.array(
      z.object({
        started_at: time,
        finished_at: time,
        poked_trials: count,
        settled_creates: count,
        deleted_doubles: count,
        quiet_trials: count,
        retired_trials: count,
        pruned_rows: count,
        probe: z.enum(["closed", "open", "not due"]).describe("What became of the breaker's probe."),
        error: maybeText,
      }),
    ),
  }),
);

const breaker = component(
  "Breaker",
  z.object({
    server: z.string(),
    state: z.enum(["closed", "open"]),
    failures: count.describe("In a row."),
    alarm: z.boolean().describe("Whether it looks like a wrong configuration."),
    opened_at: maybeTime,
    next_probe_at: maybeTime,
    last_error: maybeText,
  }),
);

const syncAsked = component(
  "SyncAsked",
  z.object({
    success: z.literal(true),
    action: z.literal("sync_trial_to_mlflow"),
    id: z.string(),
    model_run_id: maybeText,
    trial_id: z.string(),
    message: z.string(),
  }),
);

/** `/api/ops` and `/api/sync`: what went wrong, and what an operator can do. */
export const opsResource: Resource = {
  name: "Operations",
  description: "Conflicts, the cron, the breaker, and delivery on demand.",
  operations: {
    "GET /api/ops/conflicts": {
      id: "listConflicts",
      summary: "List conflicts",
      description: "What was said twice and differently, newest first.",
      scope: "admin",
      parameters: paging,
      answers: { 200: { description: "A page of conflicts.", schema: conflictList } },
      refusals: [400],
    },
    "GET /api/ops/cron-passes": {
      id: "listCronPasses",
      summary: "List the cron's passes",
      description: "Newest first; the last 500 are kept.",
      scope: "admin",
      parameters: [limit],
      answers: { 200: { description: "What each pass did.", schema: cronPasses } },
      refusals: [400],
    },
    "GET /api/ops/breaker": {
      id: "getBreaker",
      summary: "Read the circuit breaker",
      scope: "admin",
      answers: { 200: { description: "Its state.", schema: breaker } },
      refusals: [400],
    },
    "POST /api/sync/trials/{id}": {
      id: "syncTrial",
      summary: "Deliver a trial now",
      description: "Also when automatic delivery is off or the trial is blocked.",
      scope: "admin",
      parameters: [trialId],
      answers: {
        202: {
          description: "It was asked for.",
          schema: syncAsked,
          examples: {
            asked: {
              summary: "Asked for",
              value: {
                success: true,
                action: "sync_trial_to_mlflow",
                id: TRIAL_KEY,
                model_run_id: STUDY,
                trial_id: TRIAL,
                message: "The trial will be brought up to date in MLflow",
              },
            },
          },
        },
      },
      refusals: [400, 404, 503],
    },
  },
};
