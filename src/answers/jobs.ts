import * as z from "zod";
import { JOB_ACTIONS, JOB_ORIGINS, JOB_STATES } from "../domain/words.ts";
import { count, json, maybeText, maybeTime, time } from "./parts.ts";

/** What is shown of jobs, and of the experiments that are followed. */

export const job = z
  .object({
    id: z.string(),
    action: z.enum(JOB_ACTIONS),
    target: z
      .string()
      .describe(
        "The public id of a trial or model run, or MLflow's id of an experiment, or `name:` and its name.",
      ),
    origin: z.enum(JOB_ORIGINS).describe("Who asked for it."),
    state: z.enum(JOB_STATES),
    attempts: count.describe("How many have failed."),
    max_attempts: count.describe("After so many it is `failed`."),
    snoozes: count.describe("How often it waited without spending an attempt, as while MLflow is away."),
    errors: z
      .array(
        z.object({
          attempt: count,
          at: time,
          kind: z
            .string()
            .describe("Of MLflow's failure, or `internal`, `cancelled`, `snoozed`: why it last waited."),
          error: z.string(),
        }),
      )
      .describe("What went wrong, by attempt."),
    counts: z.record(z.string(), count).describe("What it has done so far."),
    progress: json.describe("Where it goes on; null at the beginning."),
    due_at: maybeTime.describe("When a queued one is to go on."),
    created_at: time,
    updated_at: time,
    finished_at: maybeTime,
  })
  .meta({ id: "Job" });
export type JobView = z.output<typeof job>;

const lastJob = z.object({
  id: z.string(),
  state: z.enum(JOB_STATES),
  counts: z.record(z.string(), count),
  error: maybeText.describe("The last thing that went wrong."),
  updated_at: time,
  finished_at: maybeTime,
});

export const watch = z
  .object({
    id: z.int(),
    experiment_id: maybeText.describe("MLflow's id, where it is followed by that."),
    experiment_name: maybeText.describe("Its name, where it is followed by that."),
    created_at: time,
    last_job: lastJob.nullable().describe("Of the last pass that asked for it."),
  })
  .meta({ id: "Watch" });
export type WatchView = z.output<typeof watch>;
