import type { Context } from "hono";
import { toRecord } from "../domain/pairs.ts";
import type { AppEnv } from "../routes/door/context.ts";
import { experimentAnswer } from "./answers/experiment.ts";
import { madeRunAnswer, runAnswer, runInfoAnswer } from "./answers/run.ts";
import { deleteArtifact, getArtifact, listArtifacts, listStore, putArtifact } from "./artifacts.ts";
import {
  deleteExperimentTag,
  experimentNamed,
  experimentOf,
  makeExperiment,
  renameExperiment,
  setExperimentTag,
  setLifecycle,
} from "./experiments.ts";
import { getRun } from "./get-run.ts";
import { getBulkHistory, getHistory, getIntervalHistory } from "./history.ts";
import { logInputs } from "./inputs.ts";
import { deleteTag, logBatch, logMetric, logParameter, setTag } from "./log.ts";
import { logModel } from "./log-model.ts";
import { MODEL_ROUTES } from "./model-routes.ts";
import { logOutputs } from "./outputs.ts";
import {
  type ArtifactPlace,
  readArtifactAddress,
  readArtifactQuery,
  readListArtifacts,
  readRunFile,
} from "./requests/artifacts.ts";
import {
  readCreateExperiment,
  readDeleteExperimentTag,
  readExperimentId,
  readGetExperiment,
  readGetExperimentByName,
  readSetExperimentTag,
  readUpdateExperiment,
} from "./requests/experiments.ts";
import { readBulkHistory, readHistory, readIntervalHistory } from "./requests/histories.ts";
import { readLogInputs } from "./requests/inputs.ts";
import { readLogModel } from "./requests/log-model.ts";
import { readDeleteTag, readLogBatch, readLogMetric, readLogParam, readSetTag } from "./requests/logging.ts";
import { readLogOutputs } from "./requests/models.ts";
import { readCreateRun, readGetRun, readRunId, readUpdateRun } from "./requests/runs.ts";
import { readSearchExperiments, readSearchExperimentsQuery, readSearchRuns } from "./requests/search.ts";
import { type GatewayRoute, get, post, search, take } from "./route.ts";
import { makeRun, setRunLifecycle, updateRun } from "./runs.ts";
import { searchExperiments, searchRuns } from "./search.ts";
import { serverInfo } from "./server.ts";
import { UPLOAD_ROUTES } from "./uploads.ts";

const STORE = "/2.0/mlflow-artifacts/artifacts";

/** A file by its address in the artifact store. */
function file(
  method: "GET" | "PUT" | "DELETE",
  answer: (asked: { c: Context<AppEnv>; place: ArtifactPlace | null }) => Promise<object>,
): GatewayRoute {
  return {
    methods: [method],
    path: `${STORE}/:path{.+}`,
    scope: method === "GET" ? "read" : "ingest",
    answer: async (c) => answer({ c, place: readArtifactAddress(new URL(c.req.url).pathname) }),
  };
}

/** A listing of files. */
function directory(
  path: string,
  read: (query: URLSearchParams) => ArtifactPlace | null,
  answer: (asked: { c: Context<AppEnv>; place: ArtifactPlace | null }) => Promise<object>,
): GatewayRoute {
  return {
    methods: ["GET"],
    path,
    scope: "read",
    answer: async (c) => answer({ c, place: read(new URL(c.req.url).searchParams) }),
  };
}

/** A file by its run, as MLflow's own pages ask for it. */
export const RUN_FILE: GatewayRoute = {
  methods: ["GET"],
  path: "/get-artifact",
  scope: "read",
  answer: async (c) => getArtifact({ c, place: readRunFile(new URL(c.req.url).searchParams) }),
};

/** What is answered here, up or down alike. */
export const ROUTES: readonly GatewayRoute[] = [
  post("runs/create", readCreateRun, async (deps, asked) => madeRunAnswer(await makeRun(deps, asked))),
  get("runs/get", readGetRun, async (deps, { runId }) => runAnswer(await getRun(deps, runId))),
  post("runs/update", readUpdateRun, async (deps, { runId, ...update }) =>
    runInfoAnswer(await updateRun(deps, runId, update)),
  ),
  take("runs/delete", readRunId, (deps, { runId }) => setRunLifecycle(deps, runId, "deleted")),
  take("runs/restore", readRunId, (deps, { runId }) => setRunLifecycle(deps, runId, "active")),
  take("runs/log-metric", readLogMetric, logMetric),
  take("runs/log-parameter", readLogParam, logParameter),
  take("runs/log-batch", readLogBatch, logBatch),
  take("runs/set-tag", readSetTag, setTag),
  take("runs/delete-tag", readDeleteTag, deleteTag),
  take("runs/log-model", readLogModel, logModel),
  take("runs/log-inputs", readLogInputs, logInputs),
  take("runs/outputs", readLogOutputs, logOutputs),
  post("experiments/create", readCreateExperiment, async (deps, { tags, ...asked }) => ({
    experiment_id: await makeExperiment(deps, { ...asked, tags: toRecord(tags) }),
  })),
  get("experiments/get", readGetExperiment, async (deps, { experimentId }) =>
    experimentAnswer(await experimentOf(deps, experimentId)),
  ),
  get("experiments/get-by-name", readGetExperimentByName, async (deps, { name }) =>
    experimentAnswer(await experimentNamed(deps, name)),
  ),
  take("experiments/update", readUpdateExperiment, (deps, { experimentId, newName }) =>
    renameExperiment(deps, experimentId, newName),
  ),
  take("experiments/delete", readExperimentId, (deps, { experimentId }) =>
    setLifecycle(deps, experimentId, "deleted"),
  ),
  take("experiments/restore", readExperimentId, (deps, { experimentId }) =>
    setLifecycle(deps, experimentId, "active"),
  ),
  take("experiments/set-experiment-tag", readSetExperimentTag, (deps, { experimentId, ...tag }) =>
    setExperimentTag(deps, experimentId, tag),
  ),
  take("experiments/delete-experiment-tag", readDeleteExperimentTag, (deps, { experimentId, key }) =>
    deleteExperimentTag(deps, experimentId, key),
  ),
  search("experiments/search", readSearchExperiments, searchExperiments),
  get("experiments/search", readSearchExperimentsQuery, searchExperiments),
  search("runs/search", readSearchRuns, searchRuns),
  get("metrics/get-history", readHistory, getHistory),
  get("metrics/get-history-bulk", readBulkHistory, getBulkHistory),
  get("metrics/get-history-bulk-interval", readIntervalHistory, getIntervalHistory),
  ...MODEL_ROUTES,
  file("PUT", putArtifact),
  file("GET", getArtifact),
  file("DELETE", deleteArtifact),
  ...UPLOAD_ROUTES,
  directory(STORE, readArtifactQuery, listStore),
  directory("/2.0/mlflow/artifacts/list", readListArtifacts, listArtifacts),
  {
    methods: ["POST"],
    path: "/2.0/mlflow/upload-artifact",
    scope: "ingest",
    answer: async (c) => putArtifact({ c, place: readRunFile(new URL(c.req.url).searchParams) }),
  },
  {
    methods: ["GET"],
    path: "/3.0/mlflow/server-info",
    scope: "read",
    answer: async (c) => serverInfo(c.var.relay),
  },
];
