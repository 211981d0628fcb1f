import * as z from "zod";
import { job } from "../../answers/jobs.ts";
import { maybeText, nextCursor } from "../../answers/parts.ts";
import { JOB_ACTIONS, JOB_STATES } from "../../domain/words.ts";
import { accepted, type Examples, ok, resource } from "../contract.ts";
import { maybe, oneOf, paging } from "../door/query.ts";
import { JOB, modelRunId, STUDY, TRIAL, TRIAL_KEY, trialId } from "../examples.ts";
import { whichExperiment } from "./which-experiment.ts";

const asked = {
  job_id: z.string().describe("Read it at `/api/sync/jobs/{id}`, which `Location` says as well."),
  state: z.enum(JOB_STATES),
  created: z.boolean().describe("False: the same was asked for before and is not over; this is that job."),
  message: z.string(),
};

const streamAsked = z
  .object({
    success: z.literal(true),
    action: z.enum(JOB_ACTIONS),
    id: z.string(),
    model_run_id: maybeText,
    trial_id: maybeText.describe("Null for a model run."),
    ...asked,
  })
  .meta({ id: "SyncAsked" });

const experimentAsked = z
  .object({
    success: z.literal(true),
    action: z.literal("sync_experiment"),
    experiment_id: maybeText,
    experiment_name: maybeText,
    ...asked,
  })
  .meta({ id: "ExperimentSyncAsked" });

const jobList = z.object({ jobs: z.array(job), next_cursor: nextCursor }).meta({ id: "JobList" });

const jobId = { id: { description: "The job's id.", example: JOB } };
const JOB_MADE = "The job, made or outstanding.";

const ASKED: Examples = {
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
};

const WAITING: Examples = {
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
};

/** What asking for a job about a trial or a model run has, whichever job it is. */
const aboutStream = {
  scope: "admin",
  query: {},
  answers: accepted(JOB_MADE, streamAsked, ASKED),
  refusals: [404],
} as const;

/** `/api/sync`: the original's jobs on demand, and what became of them. */
export const sync = resource(
  "Jobs",
  "Work between the relay and MLflow on demand, in either direction. One at a time, behind live delivery; while MLflow is away a job waits and spends no attempt.",
  {
    syncTrial: {
      at: "POST /api/sync/trials/:id",
      summary: "Deliver a trial now",
      description: "Also when automatic delivery is off or the trial is blocked.",
      path: trialId,
      ...aboutStream,
    },
    pullTrial: {
      at: "POST /api/sync/trials/:id/pull",
      summary: "Pull a trial's run from MLflow",
      description: "Takes over what was changed in MLflow, by the merge policies.",
      path: trialId,
      ...aboutStream,
    },
    createTrialRun: {
      at: "POST /api/sync/trials/:id/run",
      summary: "Make a trial's MLflow run now",
      path: trialId,
      ...aboutStream,
    },
    syncModelRun: {
      at: "POST /api/sync/model-runs/:id",
      summary: "Deliver a model run now",
      description: "The model run itself, without its trials.",
      path: modelRunId,
      ...aboutStream,
    },
    pullModelRun: {
      at: "POST /api/sync/model-runs/:id/pull",
      summary: "Pull a model run's run from MLflow",
      path: modelRunId,
      ...aboutStream,
    },
    syncExperiment: {
      at: "POST /api/sync/experiments",
      summary: "Read a whole experiment from MLflow",
      description: "Every run of it comes into the mirror, and linked runs are merged.",
      scope: "admin",
      body: whichExperiment,
      answers: accepted(JOB_MADE, experimentAsked),
    },
    listJobs: {
      at: "GET /api/sync/jobs",
      summary: "List jobs",
      description: "Newest first; what ended is kept for 30 days.",
      scope: "read",
      query: {
        ...paging,
        state: maybe(oneOf(JOB_STATES), "The job's state."),
        action: maybe(oneOf(JOB_ACTIONS), "What it does."),
      },
      answers: ok("A page of jobs.", jobList),
    },
    getJob: {
      at: "GET /api/sync/jobs/:id",
      summary: "Read a job",
      scope: "read",
      path: jobId,
      query: {},
      answers: ok("The job.", job, WAITING),
      refusals: [404],
    },
    cancelJob: {
      at: "POST /api/sync/jobs/:id/cancel",
      summary: "Cancel a job",
      description: "One that is running stops at its next step.",
      scope: "admin",
      path: jobId,
      query: {},
      answers: ok("The job, cancelled.", job, WAITING),
      refusals: [404, 409],
    },
    retryJob: {
      at: "POST /api/sync/jobs/:id/retry",
      summary: "Retry a job",
      description: "A failed or cancelled one begins anew, with all its attempts.",
      scope: "admin",
      path: jobId,
      query: {},
      answers: accepted("The job, queued again.", job, WAITING),
      refusals: [404, 409],
    },
  },
);
