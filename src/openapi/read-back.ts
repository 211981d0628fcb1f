import { MAX_STEP } from "../domain/limits.ts";
import { STUDY } from "./examples.ts";
import type { Resource } from "./operation.ts";
import { pathText, trialId } from "./parts.ts";
import { backfilled, backfillRequest, verified, verifiedAll } from "./read-back-bodies.ts";

/** Reading MLflow back, and sending again what it lacks. */
export const readBackResource: Resource = {
  name: "Verify and back-fill",
  description: "Reads MLflow back, compares it with the journal, and sends again what is missing.",
  operations: {
    "POST /api/ops/trials/{id}/verify": {
      id: "verifyTrial",
      summary: "Verify a trial",
      description: "Reads points, parameters, tags and status back from MLflow, and keeps the verdict.",
      scope: "admin",
      parameters: [trialId],
      answers: { 200: { description: "The verdict with its report.", schema: verified } },
      refusals: [400, 404, 409, 503],
    },
    "POST /api/ops/model-runs/{id}/verify": {
      id: "verifyModelRun",
      summary: "Verify a model run",
      description: "The model run and its trials, at most 50 a call.",
      scope: "admin",
      parameters: [
        pathText("id", "The trainer's id of the model run.", STUDY),
        {
          name: "cursor",
          in: "query",
          description: "The `next_cursor` of the answer before.",
          schema: { type: "integer", minimum: 0, maximum: MAX_STEP },
        },
      ],
      answers: { 200: { description: "A verdict each.", schema: verifiedAll } },
      refusals: [400, 404, 503],
    },
    "POST /api/ops/backfill": {
      id: "backfill",
      summary: "Send again",
      description:
        "A trial, a model run, a time range or a step range; at least one of them is named. A range is one of points: without it parameters, tags and status come too.",
      scope: "admin",
      body: {
        description: "What to send again.",
        contents: [
          {
            schema: backfillRequest,
            examples: {
              dry: { summary: "What would be sent", value: { model_run_id: STUDY, dry_run: true } },
              steps: { summary: "A step range", value: { model_run_id: STUDY, from_step: 1, to_step: 100 } },
            },
          },
        ],
      },
      answers: { 200: { description: "What was or would be sent, by trial.", schema: backfilled } },
      refusals: [400, 404, 503],
    },
  },
};
