import * as z from "zod";
import { MAX_STEP, MAX_TIME_MS, MIN_STEP } from "../domain/limits.ts";
import { streams, verdicts } from "../store/schema.ts";
import { component } from "./components.ts";
import { count, maybeText, maybeTime, nextCursor } from "./parts.ts";
import { point, report, sampled, stateDifferences } from "./reports.ts";

/** What is asked and answered about reading MLflow back and sending again. */

const who = {
  id: z.string().describe("The trial's public id, or the model run's."),
  kind: z.enum(streams.kind.enumValues),
  model_run_id: maybeText,
  trial_id: maybeText,
};

export const verified = component(
  "Verified",
  z.object({
    ...who,
    verdict: z
      .enum(verdicts.verdict.enumValues)
      .nullable()
      .describe(
        "Null when MLflow has nothing of it, and need not have, or when the relay cannot read what it holds of it.",
      ),
    checked_at: maybeTime,
    report: report.nullable(),
  }),
);

export const verifiedAll = component(
  "ModelRunVerified",
  z.object({
    model_run_id: z.string(),
    confirmed: count,
    differing: count,
    results: z.array(verified),
    next_cursor: nextCursor,
  }),
);

const cursor = component(
  "BackfillCursor",
  z.object({
    stream: z.int(),
    resume: z
      .object({
        seq: z.int(),
        position: z.object({
          key: z.string(),
          after: z.object({ step: z.int(), timestamp: z.int() }).nullable(),
        }),
      })
      .nullable(),
  }),
);

const bound = z.int().min(MIN_STEP).max(MAX_STEP).nullable().optional();
const instant = z
  .union([z.iso.datetime({ offset: true }), z.int().min(0).max(MAX_TIME_MS)])
  .nullable()
  .optional();

export const backfillRequest = component(
  "BackfillRequest",
  z.object({
    id: z.string().optional().describe("One trial or model run by its public id."),
    model_run_id: z.string().optional().describe("A model run with all its trials."),
    trial_id: z.string().optional(),
    from_time: instant.describe("Points from this time on."),
    to_time: instant.describe("Points up to this time."),
    from_step: bound.describe("Points from this step on."),
    to_step: bound.describe("Points up to this step."),
    only_missing: z.boolean().optional().describe("Only what MLflow lacks: the default."),
    dry_run: z.boolean().optional().describe("Say what would be sent, and send nothing."),
    cursor: cursor.nullable().optional().describe("The `next_cursor` of the answer before, unchanged."),
  }),
);

const texts = z.record(z.string(), z.string());

export const backfilled = component(
  "Backfilled",
  z.object({
    dry_run: z.boolean(),
    points: count,
    results: z.array(
      z.union([
        z.object({ ...who, outcome: z.literal("impossible"), reason: z.string(), points: count }),
        z.object({
          ...who,
          outcome: z.enum(["nothing", "would_send", "queued", "busy"]),
          points: count,
          keys: z.record(z.string(), sampled(point)).describe("The points by metric."),
          params: texts,
          tags: texts,
          state: stateDifferences,
          undelivered_events: count,
        }),
      ]),
    ),
    next_cursor: cursor
      .nullable()
      .describe("Send it with the same request for the rest; null when all is done."),
  }),
);
