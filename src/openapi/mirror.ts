import * as z from "zod";
import { RUN_STATUSES } from "../store/read-mirror.ts";
import { mlflowExperiments } from "../store/schema.ts";
import { component } from "./components.ts";
import { MLFLOW_EXPERIMENT, MLFLOW_RUN } from "./examples.ts";
import type { Resource } from "./operation.ts";
import {
  count,
  maybeText,
  maybeTime,
  nextCursor,
  paging,
  pathText,
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

const experimentList = component(
  "ExperimentList",
  z.object({ experiments: z.array(experiment), next_cursor: nextCursor }),
);

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
    synced_at: time.describe("When the relay last saw it."),
    trial: z
      .object({ id: z.string(), model_run_id: maybeText, trial_id: maybeText })
      .nullable()
      .describe("The trial that it belongs to."),
    model_run: z
      .object({ model_run_id: maybeText })
      .nullable()
      .describe("The model run that it is the parent run of."),
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
      answers: { 200: { description: "The experiment.", schema: experiment } },
      refusals: [400, 404],
    },
    "GET /api/runs": {
      id: "listRuns",
      summary: "List runs",
      description: "Latest start first.",
      scope: "read",
      parameters: [
        textFilter("experiment_id", "MLflow's id of the experiment.", MLFLOW_EXPERIMENT),
        wordFilter("status", "MLflow's status.", RUN_STATUSES),
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
      answers: { 200: { description: "The run.", schema: run } },
      refusals: [400, 404],
    },
  },
};
