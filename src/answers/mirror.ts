import * as z from "zod";
import { LIFECYCLE_STAGES, MODEL_RUN_STATES, RUN_STATUSES } from "../domain/words.ts";
import { count, maybeText, maybeTime, metricValue, texts, time } from "./parts.ts";

/** What is shown of MLflow's experiments and runs. */

const runCounts = z.object({
  total: count,
  by_status: z.object({ RUNNING: count, SCHEDULED: count, FINISHED: count, FAILED: count, KILLED: count }),
});
export type RunCounts = z.output<typeof runCounts>;

export const experimentListed = z
  .object({
    mlflow_experiment_id: z.string(),
    name: z.string(),
    artifact_location: maybeText,
    lifecycle_stage: z.enum(LIFECYCLE_STAGES),
    synced_at: time.describe("When the relay last saw it."),
    runs: runCounts.describe("Its runs that the relay knows."),
  })
  .meta({ id: "Experiment" });
export type ExperimentListed = z.output<typeof experimentListed>;

export const experiment = z
  .object({
    ...experimentListed.shape,
    tags: texts.nullable().describe("Null before it was pulled."),
    former_names: z.array(z.string()).describe("What it was called before, newest last."),
    creation_time: maybeTime,
    last_update_time: maybeTime,
    model_runs: z
      .array(z.object({ model_run_id: z.string(), run_name: maybeText, state: z.enum(MODEL_RUN_STATES) }))
      .describe("Those with runs in it, their own or their trials'; the latest 100."),
  })
  .meta({ id: "ExperimentWhole" });
export type Experiment = z.output<typeof experiment>;

const owner = z.object({ id: z.string(), model_run_id: maybeText, trial_id: maybeText });

export const runListed = z
  .object({
    mlflow_run_id: z.string(),
    mlflow_experiment_id: z.string(),
    run_name: maybeText,
    status: z.enum(RUN_STATUSES),
    start_time: maybeTime,
    end_time: maybeTime,
    lifecycle_stage: z.enum(LIFECYCLE_STAGES),
    artifact_uri: maybeText,
    user_id: maybeText,
    synced_at: time.describe("Since when it is known to be as it is shown."),
    trial: owner.nullable().describe("The trial that it belongs to."),
    model_run: z
      .object({ model_run_id: maybeText })
      .nullable()
      .describe("The model run that it is the parent run of."),
    double_of: owner
      .nullable()
      .describe("The trial whose second run this is, by its tags, or whose run it was before."),
  })
  .meta({ id: "Run" });
export type RunListed = z.output<typeof runListed>;

const latestPoint = z.object({
  value: metricValue,
  step: z.union([z.int(), z.string()]).describe("Digits as text beyond what a double holds exactly."),
  timestamp: z.int().describe("Epoch milliseconds."),
});

const dataSet = z.object({
  name: z.string(),
  digest: z.string(),
  source_type: z.string(),
  source: z.string(),
  tags: texts,
});

export const run = z
  .object({
    ...runListed.shape,
    params: texts.nullable().describe("Null, as all that follows, before the run was pulled."),
    tags: texts.nullable(),
    metrics: z.record(z.string(), latestPoint).nullable().describe("The latest point of each."),
    inputs: z.array(dataSet).nullable().describe("The data sets."),
    truncated: z
      .object({ params: count, tags: count, metrics: count, inputs: count })
      .nullable()
      .describe("How many of each are in MLflow only, because the run has more than a row holds."),
  })
  .meta({ id: "RunWhole" });
export type Run = z.output<typeof run>;
