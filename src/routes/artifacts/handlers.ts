import { modelArtifactsIn } from "../../domain/model-artifact.ts";
import { invalid } from "../../domain/problems.ts";
import { HttpFailure } from "../../errors.ts";
import { listFiles } from "../../relay/artifacts/list.ts";
import { removeFiles } from "../../relay/artifacts/remove.ts";
import { tellModel } from "../../relay/artifacts/tell-model.ts";
import { runById } from "../../store/gateway/runs.ts";
import { readRun } from "../../store/views/runs.ts";
import { readState, trialStream } from "../../store/views/state.ts";
import { readCursor, toPage } from "../door/cursor.ts";
import { PARTIAL_HEADER } from "../door/partial.ts";
import { found, noSuch, refusal } from "../door/query.ts";
import { routes } from "../route.ts";
import { artifacts } from "./contract.ts";
import { fileOf, refusedBy } from "./file.ts";
import { checkPath, keepBody, passBody } from "./upload.ts";
import { ownView, passedView, viewOf } from "./view.ts";

const RETRY_AFTER_SECONDS = 5;

export const artifactRoutes = routes(artifacts, {
  listArtifacts: async ({ c, relay, path: { id: runId }, query: { path, cursor } }) => {
    found(await readRun(relay.db, runId), `run ${runId}`);
    const stream = await runById(relay.db, runId);
    const own =
      stream && (await listFiles(relay, { streamId: stream.streamId, mlflowRunId: runId }, path ?? ""));
    if (own?.files.some((file) => file.own !== null || own.mlflow === "away")) {
      if (own.mlflow === "away") c.header(PARTIAL_HEADER, "true");
      const files = own.files.map(({ path, isDir, bytes }) => ({ path, is_dir: isDir, bytes }));
      return { mlflow_run_id: runId, files, next_cursor: null };
    }
    const listed = await relay.mlflow.listArtifacts({
      runId,
      ...(path === undefined ? {} : { path }),
      ...(cursor === undefined ? {} : { pageToken: cursor }),
    });
    if (!listed.ok) throw refusedBy(listed.failure, path ?? "", `artifacts of run ${runId}`);
    const files = listed.value.items.map(({ path, isDir, bytes }) => ({ path, is_dir: isDir, bytes }));
    return { mlflow_run_id: runId, files, next_cursor: listed.value.nextPageToken };
  },
  downloadArtifact: async ({ c, relay, path: { id: runId, path } }) => {
    found(await readRun(relay.db, runId), `run ${runId}`);
    const streamId = (await runById(relay.db, runId))?.streamId ?? null;
    const what = `artifact ${path} of run ${runId}`;
    return fileOf(relay, c.req.raw, { streamId, mlflowRunId: runId }, path, what);
  },
  listTrialArtifacts: async ({ c, relay, path: { id }, query: { path = "", limit, cursor } }) => {
    const stream = found(await trialStream(relay.db, id), `trial ${id}`);
    if (path !== "") checkPath(path);
    const { id: streamId, mlflowRunId } = stream;
    const after = readCursor(c, cursor);
    const { files, mlflow } = await listFiles(relay, { streamId, mlflowRunId }, path);
    const rows = files
      .filter((file) => after === null || file.path > String(after.id))
      .slice(0, limit + 1)
      .map((file) => ({ ...viewOf(file), position: { value: null, id: file.path } }));
    const page = toPage(c, rows, limit);
    return { files: page.rows, mlflow, next_cursor: page.next_cursor };
  },
  listModelArtifacts: async ({ relay: { db }, path: { id } }) => {
    const stream = found(await trialStream(db, id), `trial ${id}`);
    const { state } = await readState(db, { id: stream.id, kind: "trial" });
    const tags = [...state.tags].map(([key, { value }]): [string, string | null] => [key, value]);
    return { model_artifacts: modelArtifactsIn(tags) };
  },
  putTrialArtifact: async ({ c, relay, path: { id, path }, query: { semver } }) => {
    const { modelRunId, ...stream } = found(await trialStream(relay.db, id), `trial ${id}`);
    if (semver !== undefined && modelRunId === null)
      throw refusal([invalid(["semver"], "must not be there for a run of an MLflow client", semver)]);
    if (relay.bucket === null) return passedView(await passBody(c, stream.mlflowRunId, path));
    const artifact = await keepBody(c, stream, path);
    if (semver !== undefined && modelRunId !== null) {
      const isTold = await tellModel(relay, { ...stream, modelRunId }, artifact, semver);
      if (!isTold)
        throw new HttpFailure({
          kind: "unavailable",
          detail: "The file is kept. That it is a model could not be kept just now: send it again.",
          retryAfterSeconds: RETRY_AFTER_SECONDS,
        });
    }
    return ownView(artifact);
  },
  downloadTrialArtifact: async ({ c, relay, path: { id, path } }) => {
    const { id: streamId, mlflowRunId } = found(await trialStream(relay.db, id), `trial ${id}`);
    checkPath(path, c.req.url);
    return fileOf(relay, c.req.raw, { streamId, mlflowRunId }, path, `artifact ${path} of trial ${id}`);
  },
  deleteTrialArtifact: async ({ c, relay, path: { id, path } }) => {
    const { id: streamId, mlflowRunId } = found(await trialStream(relay.db, id), `trial ${id}`);
    checkPath(path, c.req.url);
    const removed = await removeFiles(relay, { streamId, mlflowRunId }, path);
    if (removed.removed > 0) return removed;
    if (removed.complete) throw noSuch(`artifact ${path} of trial ${id}`);
    throw new HttpFailure({
      kind: "unavailable",
      detail: "MLflow, which may have it, cannot be asked just now. Nothing was removed.",
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  },
});
