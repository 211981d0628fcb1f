import { Hono } from "hono";
import { invalid } from "../domain/problems.ts";
import { HttpFailure } from "../errors.ts";
import type { Failure } from "../mlflow/failure.ts";
import { readRun } from "../store/read-runs.ts";
import { requireScope } from "./auth.ts";
import type { AppEnv } from "./context.ts";
import { found, readQuery, refusal, someText } from "./query.ts";

const RETRY_AFTER_SECONDS = 5;

const listQuery = { path: someText.optional(), cursor: someText.optional() };

/** `/api/runs/:id/artifacts`: the files of a run that the relay knows, read through from MLflow. */
export const artifacts = new Hono<AppEnv>()
  .get("/:id/artifacts", requireScope("read"), async (c) => {
    const { path, cursor } = readQuery(c, listQuery);
    const { relay } = c.var;
    const runId = c.req.param("id");
    found(await readRun(relay.db, runId), `run ${runId}`);
    const listed = await relay.mlflow.listArtifacts({
      runId,
      ...(path === undefined ? {} : { path }),
      ...(cursor === undefined ? {} : { pageToken: cursor }),
    });
    if (!listed.ok) throw refusedBy(listed.failure, path ?? "", `artifacts of run ${runId}`);
    const files = listed.value.items.map(({ path, isDir, bytes }) => ({ path, is_dir: isDir, bytes }));
    return c.json({ mlflow_run_id: runId, files, next_cursor: listed.value.nextPageToken });
  })
  .get("/:id/artifacts/:path{.+}", requireScope("read"), async (c) => {
    readQuery(c, {});
    const { relay } = c.var;
    const { id: runId, path } = c.req.param();
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
