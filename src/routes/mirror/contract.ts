import * as z from "zod";
import { experiment, experimentListed, run, runListed } from "../../answers/mirror.ts";
import { nextCursor, time } from "../../answers/parts.ts";
import { series } from "../../answers/trials.ts";
import { experimentName } from "../../domain/fields.ts";
import { LIFECYCLE_STAGES, RUN_STATUSES } from "../../domain/words.ts";
import { ok, resource } from "../contract.ts";
import { maybe, oneOf, paging, seriesQuery, someText, yesOrNo } from "../door/query.ts";
import { MLFLOW_EXPERIMENT, metricKey, runId } from "../examples.ts";

const experimentId = { id: { description: "MLflow's id of the experiment.", example: MLFLOW_EXPERIMENT } };

const experimentList = z
  .object({ experiments: z.array(experimentListed), next_cursor: nextCursor })
  .meta({ id: "ExperimentList" });

const rename = z.strictObject({ name: experimentName }).meta({ id: "ExperimentRename" });

const runList = z.object({ runs: z.array(runListed), next_cursor: nextCursor }).meta({ id: "RunList" });

const history = z
  .object({ key: z.string(), ...series.shape, read_at: time.describe("When MLflow gave them.") })
  .meta({ id: "RunMetricHistory" });

/** `/api/experiments` and `/api/runs`: MLflow's records as the relay knows them. */
export const mirror = resource("MLflow's records", "The relay's mirror of MLflow's experiments and runs.", {
  listExperiments: {
    at: "GET /api/experiments",
    summary: "List experiments",
    description: "By name.",
    scope: "read",
    query: paging,
    answers: ok("A page of experiments.", experimentList),
  },
  getExperiment: {
    at: "GET /api/experiments/:id",
    summary: "Read an experiment",
    scope: "read",
    path: experimentId,
    query: {},
    answers: ok("The experiment.", experiment),
    refusals: [404],
  },
  renameExperiment: {
    at: "PATCH /api/experiments/:id",
    summary: "Rename an experiment",
    description: "Here and in MLflow. Trials that name it as it was called before follow.",
    scope: "admin",
    path: experimentId,
    body: {
      description: "Its new name.",
      schema: rename,
      examples: { named: { summary: "Another name", value: { name: "two-moons, first series" } } },
    },
    answers: ok("The experiment, renamed.", experiment),
    refusals: [404, 409],
  },
  listRuns: {
    at: "GET /api/runs",
    summary: "List runs",
    description:
      "Latest start first. With `filter` or `order_by` the list is a search: its cursors count runs, so a run that comes or goes meanwhile moves the pages behind it.",
    scope: "read",
    query: {
      ...paging,
      experiment_id: maybe(someText, "MLflow's id of the experiment.", MLFLOW_EXPERIMENT),
      status: maybe(oneOf(RUN_STATUSES), "MLflow's status."),
      lifecycle: oneOf([...LIFECYCLE_STAGES, "all"])
        .default("all")
        .describe("Whether it is deleted in MLflow."),
      linked: maybe(yesOrNo, "Whether it belongs to a trial or model run."),
      filter: maybe(
        someText,
        "In MLflow's search language: attributes, metrics, params, tags and datasets, compared and joined by AND; at most 30 clauses. A run that was not pulled yet is searched by what its trial has said.",
        "metrics.loss < 0.2 AND params.optimizer = 'adam'",
      ),
      order_by: maybe(
        someText,
        "What to sort by, as MLflow does, with commas between; at most 10 keys.",
        "metrics.loss ASC, start_time DESC",
      ),
    },
    answers: ok("A page of runs.", runList),
  },
  getRun: {
    at: "GET /api/runs/:id",
    summary: "Read a run",
    scope: "read",
    path: runId,
    query: {},
    answers: ok("The run.", run),
    refusals: [404],
  },
  getRunMetricHistory: {
    at: "GET /api/runs/:id/metrics/:key{.+}",
    summary: "Read a metric's history of a run",
    description:
      "From MLflow, kept for a while: for an ended run until it is seen to have changed, a day at most; else 30 seconds. While MLflow is away what was kept is shown.",
    scope: "read",
    path: { ...runId, ...metricKey },
    query: seriesQuery,
    answers: ok("The points in order of step, then time.", history),
    refusals: [404],
  },
});
