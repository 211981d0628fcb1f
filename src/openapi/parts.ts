import * as z from "zod";
import { MAX_STEP, MIN_STEP } from "../domain/limits.ts";
import { warningSchema } from "../domain/warnings.ts";
import { SYNC_STATES } from "../domain/words.ts";
import { component } from "./components.ts";
import { METRIC, TRIAL_KEY } from "./examples.ts";
import type { Parameter } from "./operation.ts";

/** What the answers of several resources have in common. */

export const time = z.iso.datetime();
export const maybeTime = time.nullable();
export const maybeText = z.string().nullable();
export const maybeNumber = z.number().nullable();
export const count = z.int().min(0);
export const json = z.unknown();

export const metricValue = component(
  "MetricValue",
  z
    .union([z.number(), z.enum(["NaN", "Infinity", "-Infinity"])])
    .describe("A 64-bit float; what JSON has no number for is text."),
);

/** What was not taken as it was sent. */
export const warnings = z.array(
  component(
    "Warning",
    warningSchema.describe("One thing of an accepted event that was not taken as it was sent."),
    {
      field: "Its path with dots.",
      value: "What it held, cut.",
      rule: "What it does not keep to.",
      action:
        "`left_out`: not taken; `converted`: taken as another value of the same meaning; `cut` to MLflow's limit; `renamed`: taken under the documented name; `not_sent`: kept in the journal, not sent to MLflow.",
    },
  ),
);

/** Whose something is: a trial's, or with `trial` null a model run's. */
export const owner = {
  trial: maybeText.describe("The trial's public id; null for a model run."),
  trial_id: maybeText,
  model_run_id: maybeText,
};

/** How far a trial or a model run is on its way to MLflow. */
export const delivery = {
  sync_state: z.enum(SYNC_STATES).describe("How far it is on its way to MLflow."),
  waiting_for: maybeText.describe("What a waiting one waits for."),
  blocked_reason: maybeText.describe("Why it is blocked."),
  last_error: maybeText.describe("What MLflow said last when it refused."),
  mlflow_run_id: maybeText,
  mlflow_experiment_id: maybeText,
  delivered_at: maybeTime.describe("When MLflow last took something of it."),
};

/** What is shown of the fold, for trials and model runs alike. */
export const folded = {
  parameters: z.record(z.string(), z.string()),
  tags: z.record(z.string(), z.string()),
  fields: z.record(z.string(), json).describe("The fields of the events, the latest by event time."),
  unreadable: z
    .object({
      part: z.enum(["record", "events"]).describe("Its record, or the events that are not in it yet."),
      reason: z.string(),
    })
    .nullable()
    .describe("What this answer lacks, since the relay cannot read what it holds of it."),
  metrics: z.record(
    z.string(),
    component(
      "MetricSummary",
      z.object({
        last: metricValue,
        last_step: z.int().nullable().describe("Null for a metric of an ended trial without a step."),
        min: metricValue.nullable(),
        max: metricValue.nullable(),
        count,
      }),
    ),
  ),
};

export const nextCursor = maybeText.describe("For the next page; null on the last.");

export const limit: Parameter = {
  name: "limit",
  in: "query",
  description: "The most rows of a page.",
  schema: { type: "integer", minimum: 1, maximum: 500, default: 50 },
  example: 10,
};

/** The parameters of every paged list. */
export const paging: readonly Parameter[] = [
  limit,
  {
    name: "cursor",
    in: "query",
    description: "The `next_cursor` of the page before, with the same filters and sort.",
    schema: { type: "string", minLength: 1 },
  },
];

const step = { type: "integer", minimum: MIN_STEP, maximum: MAX_STEP } as const;

/** The parameters of every history of a metric, after whose it is. */
export const seriesParameters: readonly Parameter[] = [
  pathText("key", "The metric's name; slashes in it need no escape.", METRIC),
  { name: "from_step", in: "query", description: "The first step.", schema: step, example: 0 },
  { name: "to_step", in: "query", description: "The last step.", schema: step, example: 1000 },
  {
    name: "max_points",
    in: "query",
    description: "The most points; every bucket keeps its least and greatest value.",
    schema: { type: "integer", minimum: 2, maximum: 50_000, default: 1_000 },
    example: 500,
  },
];

/** A filter by one text. */
export function textFilter(name: string, description: string, example?: string): Parameter {
  const schema = { type: "string", minLength: 1 } as const;
  return { name, in: "query", description, schema, ...(example === undefined ? {} : { example }) };
}

/** A filter by one of a few words. */
export function wordFilter(name: string, description: string, words: readonly string[]): Parameter {
  return { name, in: "query", description, schema: { type: "string", enum: [...words] } };
}

/** A part of the path. */
export function pathText(name: string, description: string, example: string): Parameter {
  return { name, in: "path", description, schema: { type: "string" }, example };
}

export const trialId = pathText("id", "The trial's public id.", TRIAL_KEY);
