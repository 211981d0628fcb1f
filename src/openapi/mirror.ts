import * as z from "zod";
import { experimentName } from "../domain/fields.ts";
import { RUN_STATUSES } from "../domain/words.ts";
import { LIFECYCLES } from "../store/read-runs.ts";
import { mlflowExperiments, modelRuns } from "../store/schema.ts";
import { component } from "./components.ts";
import { MLFLOW_EXPERIMENT, MLFLOW_RUN } from "./examples.ts";
import type { Resource } from "./operation.ts";
import {
  count,
  maybeText,
  maybeTime,
  metricValue,
  nextCursor,
  paging,
  pathText,
  seriesParameters,
  textFilter,
  time,
  wordFilter,
} from "./parts.ts";

const lifecycle = z.enum(mlflowExperiments.lifecycleStage.enumValues);

const experiment = component(
  "Experiment",
  z.object({
    mlflow_experiment_id: z.string(),
    name: z.string(),
    artifact_location: maybeText,
    lifecycle_stage: lifecycle,
    synced_at: time.describe("When the relay last saw it."),
    runs: z
      .object({ total: count, by_status: z.object(Object.fromEntries(RUN_STATUSES.map((s) => [s, count]))) })
      .describe("Its runs that the relay knows."),
  }),
);

const experimentWhole = component(
  "ExperimentWhole",
  z.object({
    ...experiment.shape,
    tags: z.record(z.string(), z.string()).nullable().describe("Null before it was pulled."),
    former_names: z.array(z.string()).describe("What it was called before, newest last."),
    creation_time: maybeTime,
    last_update_time: maybeTime,
    model_runs: z
      .array(
        z.object({
          model_run_id: z.string(),
          run_name: maybeText,
          state: z.enum(modelRuns.state.enumValues),
        }),
      )
      .describe("Those with runs in it, their own or their trials'; the latest 100."),
  }),
);

const experimentList = component(
  "ExperimentList",
  z.object({ experiments: z.array(experiment), next_cursor: nextCursor }),
);

const owner = z.object({ id: z.string(), model_run_id: maybeText, trial_id: maybeText });

const run = component(
  "Run",
  z.object({
    mlflow_run_id: z.string(),
    mlflow_experiment_id: z.string(),
    run_name: maybeText,
    status: z.enum(RUN_STATUSES),
    start_time: maybeTime,
    end_time: maybeTime,
    lifecycle_stage: lifecycle,
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
  }),
);

const texts = z.record(z.string(), z.string()).nullable();

const runWhole = component(
  "RunWhole",
  z.object({
    ...run.shape,
    params: texts.describe("Null, as all that follows, before the run was pulled."),
    tags: texts,
    metrics: z
      .record(
        z.string(),
        z.object({
          value: metricValue,
          step: z.union([z.int(), z.string()]).describe("Digits as text beyond what a double holds exactly."),
          timestamp: z.int().describe("Epoch milliseconds."),
        }),
      )
      .nullable()
      .describe("The latest point of each."),
    inputs: z
      .array(
        z.object({
          name: z.string(),
          digest: z.string(),
          source_type: z.string(),
          source: z.string(),
          tags: z.record(z.string(), z.string()),
        }),
      )
      .nullable()
      .describe("The data sets."),
    truncated: z
      .object({ params: count, tags: count, metrics: count, inputs: count })
      .nullable()
      .describe("How many of each are in MLflow only, because the run has more than a row holds."),
  }),
);

const runHistory = component(
  "RunMetricHistory",
  z.object({
    key: z.string(),
    points: z.array(
      z.object({
        step: z.number().describe("A whole number, rounded beyond what a double holds exactly."),
        timestamp: z.int().describe("Epoch milliseconds."),
        value: metricValue,
      }),
    ),
    total: count.describe("Points in the range, before any downsampling."),
    downsampled: z.boolean(),
    read_at: time.describe("When MLflow gave them."),
  }),
);

const runList = component("RunList", z.object({ runs: z.array(run), next_cursor: nextCursor }));

/** `/api/experiments` and `/api/runs`: the mirror of MLflow's records. */
export const mirrorResource: Resource = {
  name: "MLflow's records",
  description: "The relay's mirror of MLflow's experiments and runs.",
  operations: {
    "GET /api/experiments": {
      id: "listExperiments",
      summary: "List experiments",
      description: "By name.",
      scope: "read",
      parameters: paging,
      answers: { 200: { description: "A page of experiments.", schema: experimentList } },
      refusals: [400],
    },
    "GET /api/experiments/{id}": {
      id: "getExperiment",
      summary: "Read an experiment",
      scope: "read",
      parameters: [pathText("id", "MLflow's id of the experiment.", MLFLOW_EXPERIMENT)],
      answers: { 200: { description: "The experiment.", schema: experimentWhole } },
      refusals: [400, 404],
    },
    "PATCH /api/experiments/{id}": {
      id: "renameExperiment",
      summary: "Rename an experiment",
      description: "Here and in MLflow. Trials that name it as it was called before follow.",
      scope: "admin",
      parameters: [pathText("id", "MLflow's id of the experiment.", MLFLOW_EXPERIMENT)],
      body: {
        description: "Its new name.",
        contents: [
          {
            schema: component("ExperimentRename", z.object({ name: experimentName })),
            examples: { named: { summary: "Another name", value: { name: "two-moons, first series" } } },
          },
        ],
      },
      answers: { 200: { description: "The experiment, renamed.", schema: experimentWhole } },
      refusals: [400, 404, 409, 503],
    },
    "GET /api/runs": {
      id: "listRuns",
      summary: "List runs",
      description: "Latest start first.",
      scope: "read",
      parameters: [
        textFilter("experiment_id", "MLflow's id of the experiment.", MLFLOW_EXPERIMENT),
        wordFilter("status", "MLflow's status.", RUN_STATUSES),
        wordFilter("lifecycle", "Whether it is deleted in MLflow.", LIFECYCLES),
        wordFilter("linked", "Whether it belongs to a trial or model run.", ["true", "false"]),
        ...paging,
      ],
      answers: { 200: { description: "A page of runs.", schema: runList } },
      refusals: [400],
    },
    "GET /api/runs/{id}": {
      id: "getRun",
      summary: "Read a run",
      scope: "read",
      parameters: [pathText("id", "MLflow's id of the run.", MLFLOW_RUN)],
      answers: { 200: { description: "The run.", schema: runWhole } },
      refusals: [400, 404],
    },
    "GET /api/runs/{id}/metrics/{key}": {
      id: "getRunMetricHistory",
      summary: "Read a metric's history of a run",
      description:
        "From MLflow, kept for a while: for an ended run until it is seen to have changed, a day at most; else 30 seconds. While MLflow is away what was kept is shown.",
      scope: "read",
      parameters: [pathText("id", "MLflow's id of the run.", MLFLOW_RUN), ...seriesParameters],
      answers: { 200: { description: "The points in order of step, then time.", schema: runHistory } },
      refusals: [400, 404, 503],
    },
  },
};
