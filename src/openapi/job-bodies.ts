import * as z from "zod";
import { JOB_ACTIONS, JOB_STATES } from "../domain/words.ts";
import { jobs } from "../store/schema.ts";
import { component } from "./components.ts";
import { JOB, MLFLOW_EXPERIMENT, STUDY, TRIAL, TRIAL_KEY } from "./examples.ts";
import type { Answer } from "./operation.ts";
import { count, json, maybeText, maybeTime, nextCursor, time } from "./parts.ts";

/** What is asked and answered about jobs. */

export const job = component(
  "Job",
  z.object({
    id: z.string(),
    action: z.enum(JOB_ACTIONS),
    target: z
      .string()
      .describe(
        "The public id of a trial or model run, or MLflow's id of an experiment, or `name:` and its name.",
      ),
    origin: z.enum(jobs.origin.enumValues).describe("Who asked for it."),
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
  }),
);

export const jobList = component("JobList", z.object({ jobs: z.array(job), next_cursor: nextCursor }));

const asked = {
  job_id: z.string().describe("Read it at `/api/sync/jobs/{id}`, which `Location` says as well."),
  state: z.enum(JOB_STATES),
  created: z.boolean().describe("False: the same was asked for before and is not over; this is that job."),
  message: z.string(),
};

const streamAsked = component(
  "SyncAsked",
  z.object({
    success: z.literal(true),
    action: z.enum(JOB_ACTIONS),
    id: z.string(),
    model_run_id: maybeText,
    trial_id: maybeText.describe("Null for a model run."),
    ...asked,
  }),
);

const experimentAsked = component(
  "ExperimentSyncAsked",
  z.object({
    success: z.literal(true),
    action: z.literal("sync_experiment"),
    experiment_id: maybeText,
    experiment_name: maybeText,
    ...asked,
  }),
);

const experiment = component(
  "ExperimentSyncRequest",
  z.object({
    experiment_id: z.string().optional().describe("MLflow's id of the experiment."),
    experiment_name: z.string().min(1).max(256).optional().describe("Or its name; exactly one of the two."),
  }),
);

/** The answer to asking for a job about a trial or model run. */
export const streamAnswer: Answer = {
  description: "The job, made or outstanding.",
  schema: streamAsked,
  examples: {
    asked: {
      summary: "Asked for",
      value: {
        success: true,
        action: "sync_trial_to_mlflow",
        id: TRIAL_KEY,
        model_run_id: STUDY,
        trial_id: TRIAL,
        job_id: JOB,
        state: "queued",
        created: true,
        message: "The trial will be brought up to date in MLflow",
      },
    },
  },
};

/** The answer to asking for an experiment. */
export const experimentAnswer: Answer = {
  description: "The job, made or outstanding.",
  schema: experimentAsked,
};

/** The answer with a job in it. */
export function jobAnswer(description: string): Answer {
  return {
    description,
    schema: job,
    examples: {
      waiting: {
        summary: "Waits for MLflow",
        value: {
          id: JOB,
          action: "sync_trial_to_mlflow",
          target: TRIAL_KEY,
          origin: "request",
          state: "queued",
          attempts: 0,
          max_attempts: 5,
          snoozes: 12,
          errors: [
            {
              attempt: 1,
              at: "2026-11-03T09:31:00.000Z",
              kind: "snoozed",
              error: "MLflow is away: No answer: connection refused",
            },
          ],
          counts: {},
          progress: null,
          due_at: "2026-11-03T09:31:05.000Z",
          created_at: "2026-11-03T09:30:00.000Z",
          updated_at: "2026-11-03T09:31:00.000Z",
          finished_at: null,
        },
      },
    },
  };
}

/** The body of what is about an experiment. */
export const whichExperiment = {
  description: "Which experiment: exactly one of the two.",
  contents: [
    {
      schema: experiment,
      examples: {
        id: { summary: "By MLflow's id", value: { experiment_id: MLFLOW_EXPERIMENT } },
        name: { summary: "By name", value: { experiment_name: "two-moons" } },
      },
    },
  ],
};
