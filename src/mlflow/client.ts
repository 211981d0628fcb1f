import { artifactCalls } from "./artifacts.ts";
import { experimentCalls } from "./experiments.ts";
import { historyCalls } from "./history.ts";
import { createSend, type MlflowDeps, type MlflowSettings } from "./http.ts";
import { loggingCalls } from "./logging.ts";
import { modelCalls } from "./models.ts";
import { passOnCall } from "./pass-on.ts";
import { runCalls } from "./runs.ts";
import { readTarget } from "./target.ts";

export type MlflowClient = ReturnType<typeof createMlflowClient>;

/** The calls that change something in MLflow. */
export type MlflowWrites = Pick<
  MlflowClient,
  | "createExperiment"
  | "updateExperiment"
  | "restoreExperiment"
  | "deleteExperiment"
  | "setExperimentTag"
  | "deleteExperimentTag"
  | "createRun"
  | "updateRun"
  | "deleteRun"
  | "restoreRun"
  | "logMetric"
  | "logParameter"
  | "logBatch"
  | "setTag"
  | "deleteTag"
  | "logInput"
  | "logOutput"
  | "logModelMetrics"
  | "createModel"
  | "finalizeModel"
  | "deleteModel"
  | "setModelTags"
  | "deleteModelTag"
  | "logModelParams"
  | "putArtifact"
  | "deleteArtifact"
>;
export type MlflowReads = Omit<MlflowClient, keyof MlflowWrites>;

/**
 * MLflow's tracking REST API (https://mlflow.org/docs/latest/rest-api.html), one function an endpoint. None of them
 * throws; a failure says what it means for the caller (`FailureKind`). Nothing is retried here.
 */
export function createMlflowClient(settings: MlflowSettings, deps: MlflowDeps) {
  const target = readTarget(settings);
  const send = createSend(target, settings.timeoutMs, deps);
  return {
    ...experimentCalls(send),
    ...runCalls(send),
    ...loggingCalls(send),
    ...modelCalls(send),
    ...historyCalls(send),
    ...artifactCalls(send, target, settings.timeoutMs, deps),
    ...passOnCall(target, deps),
  };
}
