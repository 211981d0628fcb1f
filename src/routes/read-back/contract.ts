import * as z from "zod";
import { count, nextCursor } from "../../answers/parts.ts";
import { sentAgain, verified } from "../../answers/report.ts";
import { flag, identifier, step, time } from "../../domain/fields.ts";
import { ok, resource } from "../contract.ts";
import { wholeNumber } from "../door/query.ts";
import { modelRunId, STUDY, trialId } from "../examples.ts";

const verifiedAll = z
  .object({
    model_run_id: z.string(),
    confirmed: count,
    differing: count,
    results: z.array(verified),
    next_cursor: nextCursor,
  })
  .meta({ id: "ModelRunVerified" });

const CURSOR_RULE = "must be the next_cursor of the answer before, unchanged";

const place = z.strictObject({ step: z.int(), timestamp: z.int() });
const position = z.strictObject({ key: z.string(), after: place.nullable() });
const cursor = z
  .strictObject(
    { stream: z.int(), resume: z.strictObject({ seq: z.int(), position }).nullable() },
    CURSOR_RULE,
  )
  .meta({ id: "BackfillCursor" });
export type BackfillCursor = z.output<typeof cursor>;

const request = z
  .strictObject({
    id: identifier.optional().describe("One trial or model run by its public id."),
    model_run_id: identifier.optional().describe("A model run with all its trials."),
    trial_id: identifier.optional(),
    from_time: time.nullable().default(null).describe("Points from this time on."),
    to_time: time.nullable().default(null).describe("Points up to this time."),
    from_step: step.nullable().default(null).describe("Points from this step on."),
    to_step: step.nullable().default(null).describe("Points up to this step."),
    only_missing: flag.default(true).describe("Only what MLflow lacks."),
    dry_run: flag.default(false).describe("Say what would be sent, and send nothing."),
    cursor: cursor.nullable().default(null).describe("The `next_cursor` of the answer before, unchanged."),
  })
  .meta({ id: "BackfillRequest" });
export type BackfillRequest = z.output<typeof request>;

const backfilled = z
  .object({
    dry_run: z.boolean(),
    points: count,
    results: z.array(sentAgain),
    next_cursor: cursor
      .nullable()
      .describe("Send it with the same request for the rest; null when all is done."),
  })
  .meta({ id: "Backfilled" });

/** Reading MLflow back, and sending again what it lacks. */
export const readBack = resource(
  "Verify and back-fill",
  "Reads MLflow back, compares it with the journal, and sends again what is missing.",
  {
    verifyTrial: {
      at: "POST /api/ops/trials/:id/verify",
      summary: "Verify a trial",
      description: "Reads points, parameters, tags and status back from MLflow, and keeps the verdict.",
      scope: "admin",
      path: trialId,
      query: {},
      answers: ok("The verdict with its report.", verified),
      refusals: [404, 409],
    },
    verifyModelRun: {
      at: "POST /api/ops/model-runs/:id/verify",
      summary: "Verify a model run",
      description: "The model run and its trials, at most 50 a call.",
      scope: "admin",
      path: modelRunId,
      query: {
        cursor: wholeNumber(0, Number.MAX_SAFE_INTEGER)
          .default(0)
          .describe("The `next_cursor` of the answer before."),
      },
      answers: ok("A verdict each.", verifiedAll),
      refusals: [404],
    },
    backfill: {
      at: "POST /api/ops/backfill",
      summary: "Send again",
      description:
        "A trial, a model run, a time range or a step range; at least one of them is named. A range is one of points: without it parameters, tags and status come too.",
      scope: "admin",
      query: {},
      body: {
        description: "What to send again.",
        schema: request,
        called: "a back-fill",
        examples: {
          dry: { summary: "What would be sent", value: { model_run_id: STUDY, dry_run: true } },
          steps: { summary: "A step range", value: { model_run_id: STUDY, from_step: 1, to_step: 100 } },
        },
      },
      answers: ok("What was or would be sent, by trial.", backfilled),
      refusals: [404],
    },
  },
);
