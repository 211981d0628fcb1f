import * as z from "zod";
import type { WireNumber } from "../domain/values.ts";
import { warningSchema } from "../domain/warnings.ts";
import { SYNC_STATES } from "../domain/words.ts";

/** What the answers of several resources have in common. */

export const time = z.iso.datetime();
export const maybeTime = time.nullable();
export const maybeText = z.string().nullable();
export const maybeNumber = z.number().nullable();
export const count = z.int().min(0);
/** A shape that is the trainer's own. */
export const json = z.unknown();
export const texts = z.record(z.string(), z.string());

export const metricValue: z.ZodType<WireNumber> = z
  .union([z.number(), z.enum(["NaN", "Infinity", "-Infinity"])])
  .meta({ id: "MetricValue", description: "A 64-bit float; what JSON has no number for is text." });

/** What was not taken as it was sent. */
export const warnings = z.array(
  z
    .object({
      field: warningSchema.shape.field.describe("Its path with dots."),
      value: warningSchema.shape.value.describe("What it held, cut."),
      rule: warningSchema.shape.rule.describe("What it does not keep to."),
      action: warningSchema.shape.action.describe(
        "`left_out`: not taken; `converted`: taken as another value of the same meaning; `cut` to MLflow's limit; `renamed`: taken under the documented name; `not_sent`: kept in the journal, not sent to MLflow; `outweighed`: changes nothing, since something later stands.",
      ),
    })
    .meta({
      id: "Warning",
      description: "One thing of an accepted event that was not taken as it was sent.",
    }),
);

/** Whose something is: a trial's, or with `trial` null a model run's. */
export const owner = z.object({
  trial: maybeText.describe("The trial's public id; null for a model run."),
  trial_id: maybeText,
  model_run_id: maybeText,
});
export type Owner = z.output<typeof owner>;

/** How far a trial or a model run is on its way to MLflow. */
export const delivery = z.object({
  sync_state: z.enum(SYNC_STATES).describe("How far it is on its way to MLflow."),
  waiting_for: maybeText.describe("What a waiting one waits for."),
  blocked_reason: maybeText.describe("Why it is blocked."),
  last_error: maybeText.describe("What MLflow said last when it refused."),
  mlflow_run_id: maybeText,
  mlflow_experiment_id: maybeText,
  delivered_at: maybeTime.describe("When MLflow last took something of it."),
});
export type Delivery = z.output<typeof delivery>;

const summary = z
  .object({
    last: metricValue,
    last_step: z.int().nullable().describe("Null for a metric of an ended trial without a step."),
    min: metricValue.nullable(),
    max: metricValue.nullable(),
    count,
  })
  .meta({ id: "MetricSummary" });

/** What is shown of the fold, for trials and model runs alike. */
export const folded = z.object({
  parameters: texts,
  tags: texts,
  fields: z.record(z.string(), json).describe("The fields of the events, the latest by event time."),
  metrics: z.record(z.string(), summary),
});
export type Folded = z.output<typeof folded>;

const lack = z.object({
  part: z.enum(["record", "events"]).describe("Its record, or the events that are not in it yet."),
  reason: z.string(),
});
export type Unreadable = z.output<typeof lack>;

export const unreadable = lack
  .nullable()
  .describe("What this answer lacks, since the relay cannot read what it holds of it.");

export const nextCursor = maybeText.describe("For the next page; null on the last.");
