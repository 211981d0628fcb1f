import { invalid } from "../../domain/problems.ts";
import { HttpFailure } from "../../errors.ts";
import type { Failure } from "../../mlflow/failure.ts";
import { readRun } from "../../store/views/runs.ts";
import { found, refusal } from "../door/query.ts";
import { routes } from "../route.ts";
import { artifacts } from "./contract.ts";

const RETRY_AFTER_SECONDS = 5;

export const artifactRoutes = routes(artifacts, {
  listArtifacts: async ({ relay, path: { id: runId }, query: { path, cursor } }) => {
    found(await readRun(relay.db, runId), `run ${runId}`);
    const listed = await relay.mlflow.listArtifacts({
      runId,
      ...(path === undefined ? {} : { path }),
      ...(cursor === undefined ? {} : { pageToken: cursor }),
    });
    if (!listed.ok) throw refusedBy(listed.failure, path ?? "", `artifacts of run ${runId}`);
    const files = listed.value.items.map(({ path, isDir, bytes }) => ({ path, is_dir: isDir, bytes }));
    return { mlflow_run_id: runId, files, next_cursor: listed.value.nextPageToken };
  },
  downloadArtifact: async ({ relay, path: { id: runId, path } }) => {
    found(await readRun(relay.db, runId), `run ${runId}`);
    const opened = await relay.mlflow.openArtifact({ runId, path });
    if (!opened.ok) throw refusedBy(opened.failure, path, `artifact ${path} of run ${runId}`);
    const { body, bytes } = opened.value;
    const headers = new Headers({
      // Whatever it is, a browser is not to run or show it under this address.
      "content-type": "application/octet-stream",
      "content-disposition": `attachment; filename*=UTF-8''${encoded(path.split("/").at(-1) ?? "artifact")}`,
      "x-content-type-options": "nosniff",
      "cache-control": "no-store",
    });
    if (bytes !== null) headers.set("content-length", String(bytes));
    return new Response(body, { headers });
  },
});

/** RFC 5987: what encodeURIComponent leaves as it is, this does not all allow. */
function encoded(name: string): string {
  return encodeURIComponent(name.toWellFormed()).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function refusedBy({ kind, message }: Failure, path: string, what: string): HttpFailure {
  if (kind === "gone") return new HttpFailure({ kind: "not_found", detail: `MLflow has no ${what}.` });
  if (kind === "invalid")
    return refusal([invalid(["path"], `must be a path that MLflow takes (${message})`, path)]);
  return new HttpFailure({
    kind: "unavailable",
    detail: `MLflow cannot be asked for artifacts just now: ${message}`,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}
