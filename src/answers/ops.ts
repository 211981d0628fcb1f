import * as z from "zod";
import { BLOCKED_KINDS } from "../domain/blocked.ts";
import { LETTER_KINDS, LETTER_STATES, SCOPES, STREAM_KINDS } from "../domain/words.ts";
import { count, delivery, json, maybeText, maybeTime, owner, time } from "./parts.ts";

/** What operators are shown: dead letters, what stands still, the cron's passes, and tokens. */

export const letterListed = z
  .object({
    id: z.int(),
    ...owner.shape,
    kind: z.enum(LETTER_KINDS),
    state: z.enum(LETTER_STATES),
    item: json.describe("The item as it was refused."),
    reason: z.string().describe("Why, in MLflow's words."),
    mlflow_status: z.int().nullable().describe("The HTTP status of MLflow's answer."),
    mlflow_code: maybeText.describe("Its error code."),
    created_at: time,
    settled_at: maybeTime.describe("When it was replayed or dropped."),
  })
  .meta({ id: "DeadLetterListed" });
export type LetterListed = z.output<typeof letterListed>;

export const letter = z
  .object({
    ...letterListed.shape,
    delivery: delivery.nullable().describe("Where its trial or model run stands."),
  })
  .meta({ id: "DeadLetter" });
export type LetterView = z.output<typeof letter>;

/** Why something stands still. */
export const block = {
  blocked_kind: z.enum(BLOCKED_KINDS),
  blocked_on: maybeText.describe("What it waits for: an experiment's name, or a run's id."),
  blocked_reason: z.string().describe("The same in words."),
};

export const blockedListed = z.object({
  kind: z.enum(STREAM_KINDS),
  ...owner.shape,
  ...block,
  forgotten: z.boolean(),
  experiment_name: maybeText,
  mlflow_experiment_id: maybeText,
  mlflow_run_id: maybeText,
  undelivered_events: count,
});
export type BlockedListed = z.output<typeof blockedListed>;

export const change = z
  .union([
    z.object({
      change: z.literal("restore_experiment"),
      experiment_id: z.string(),
      name: z.string(),
      also_frees: count.describe("Others that stood still for the same reason."),
    }),
    z.object({ change: z.literal("restore_run"), run_id: z.string() }),
    z.object({ change: z.literal("new_run"), instead_of: maybeText }),
    z.object({ change: z.literal("refuse_run"), run_id: z.string() }),
    z.object({ change: z.literal("deliver") }),
    z.object({ change: z.literal("forget") }),
  ])
  .meta({ id: "UnblockChange" });
export type Change = z.output<typeof change>;

const done = count.default(0);

/** What one pass of the cron did, as it is stored and shown. A report that an older build stored lacks some of it. */
export const passReport = z.object({
  poked_trials: done,
  settled_creates: done,
  deleted_doubles: done,
  confirmed_trials: done,
  resent_trials: done,
  quiet_trials: done,
  orphaned_trials: done.describe("Closed, since their model run had ended and they were silent."),
  retired_trials: done,
  pruned_rows: done,
  forgotten_rows: done.describe("Identities of what was pruned long ago, and old settled dead letters."),
  deleted_objects: done.describe("From the bucket, since no file has them any more."),
  poked_jobs: done,
  summarized_model_runs: done,
  pruned_history_pages: done,
  watched_experiments: done,
  pulled_runs: done,
  changed_runs: done,
  merged_runs: done.describe("Since the pass before."),
  merge_conflicts: done.describe("Since the pass before."),
  unblocked_trials: done,
  next_pull_id: done.describe("Behind which trial the next pass goes on looking; 0: at the beginning."),
  probe: z
    .enum(["closed", "open", "not due"])
    .default("not due")
    .describe("What became of the breaker's probe."),
  error: maybeText.default(null),
});
export type PassReport = z.output<typeof passReport>;

export const cronPass = z.object({ started_at: time, finished_at: time, ...passReport.shape });
export type CronPass = z.output<typeof cronPass>;

export const token = z
  .object({
    id: z.string(),
    name: z.string(),
    scopes: z.array(z.enum(SCOPES)).min(1),
    created_at: time,
    expires_at: maybeTime,
    revoked_at: maybeTime,
  })
  .meta({ id: "Token" });
export type TokenRecord = z.output<typeof token>;

export const tokenMade = z
  .object({ ...token.shape, token: z.string().describe("The token's text, which is shown only here.") })
  .meta({ id: "TokenMade" });
export type TokenMade = z.output<typeof tokenMade>;
