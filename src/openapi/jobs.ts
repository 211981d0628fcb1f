import { JOB_ACTIONS, JOB_STATES } from "../domain/words.ts";
import { JOB, STUDY } from "./examples.ts";
import { experimentAnswer, jobAnswer, jobList, streamAnswer, whichExperiment } from "./job-bodies.ts";
import type { Operation, Resource } from "./operation.ts";
import { paging, pathText, trialId, wordFilter } from "./parts.ts";

const id = pathText("id", "The job's id.", JOB);

function streamJob(
  about: "trial" | "modelRun",
  operation: Pick<Operation, "id" | "summary" | "description">,
): Operation {
  return {
    ...operation,
    scope: "admin",
    parameters: [about === "trial" ? trialId : pathText("id", "The trainer's id of the model run.", STUDY)],
    answers: { 202: streamAnswer },
    refusals: [400, 404],
  };
}

/** `/api/sync`: the original's jobs. */
export const jobsResource: Resource = {
  name: "Jobs",
  description:
    "Work between the relay and MLflow on demand, in either direction. One at a time, behind live delivery; while MLflow is away a job waits and spends no attempt.",
  operations: {
    "POST /api/sync/trials/{id}": streamJob("trial", {
      id: "syncTrial",
      summary: "Deliver a trial now",
      description: "Also when automatic delivery is off or the trial is blocked.",
    }),
    "POST /api/sync/trials/{id}/pull": streamJob("trial", {
      id: "pullTrial",
      summary: "Pull a trial's run from MLflow",
      description: "Takes over what was changed in MLflow, by the merge policies.",
    }),
    "POST /api/sync/trials/{id}/run": streamJob("trial", {
      id: "createTrialRun",
      summary: "Make a trial's MLflow run now",
    }),
    "POST /api/sync/model-runs/{id}": streamJob("modelRun", {
      id: "syncModelRun",
      summary: "Deliver a model run now",
      description: "The model run itself, without its trials.",
    }),
    "POST /api/sync/model-runs/{id}/pull": streamJob("modelRun", {
      id: "pullModelRun",
      summary: "Pull a model run's run from MLflow",
    }),
    "POST /api/sync/experiments": {
      id: "syncExperiment",
      summary: "Read a whole experiment from MLflow",
      description: "Every run of it comes into the mirror, and linked runs are merged.",
      scope: "admin",
      body: whichExperiment,
      answers: { 202: experimentAnswer },
      refusals: [400],
    },
    "GET /api/sync/jobs": {
      id: "listJobs",
      summary: "List jobs",
      description: "Newest first; what ended is kept for 30 days.",
      scope: "read",
      parameters: [
        wordFilter("state", "The job's state.", JOB_STATES),
        wordFilter("action", "What it does.", JOB_ACTIONS),
        ...paging,
      ],
      answers: { 200: { description: "A page of jobs.", schema: jobList } },
      refusals: [400],
    },
    "GET /api/sync/jobs/{id}": {
      id: "getJob",
      summary: "Read a job",
      scope: "read",
      parameters: [id],
      answers: { 200: jobAnswer("The job.") },
      refusals: [400, 404],
    },
    "POST /api/sync/jobs/{id}/cancel": {
      id: "cancelJob",
      summary: "Cancel a job",
      description: "One that is running stops at its next step.",
      scope: "admin",
      parameters: [id],
      answers: { 200: jobAnswer("The job, cancelled.") },
      refusals: [400, 404, 409],
    },
    "POST /api/sync/jobs/{id}/retry": {
      id: "retryJob",
      summary: "Retry a job",
      description: "A failed or cancelled one begins anew, with all its attempts.",
      scope: "admin",
      parameters: [id],
      answers: { 202: jobAnswer("The job, queued again.") },
      refusals: [400, 404, 409],
    },
  },
};
