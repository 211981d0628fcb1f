import { encodedPath, isStraight } from "../domain/artifact-path.ts";
import { read } from "./calls.ts";
import { classify, failed, type Result, unanswered } from "./failure.ts";
import { type CallAnswer, describe, type MlflowDeps, observed, type Send } from "./http.ts";
import { artifactPage, storePage } from "./schemas.ts";
import type { Target } from "./target.ts";
import type { Artifact, Page } from "./types.ts";

/** A file as it arrives; null when it is empty; `bytes` is its size where MLflow says so. */
export type ArtifactFile = { body: ReadableStream<Uint8Array> | null; bytes: number | null };

const DOWNLOAD = { access: "read", target: "id" } as const;
const ENDPOINT = "get-artifact";

/** A file of a run's, by the address of the run's root in MLflow's artifact store. */
type Place = { root: string; path: string };

/** What MLflow is given as a file. The body has a known length; `timeoutMs` covers all of it. */
export type ArtifactUpload = Place & {
  body: ReadableStream<Uint8Array>;
  contentType: string;
  timeoutMs: number;
};

const UPLOAD = { access: "write", target: "id" } as const;
const STORE = "mlflow-artifacts/artifacts";
/** What a server says that does not serve artifacts (`_disable_unless_serve_artifacts` in mlflow/server/handlers.py). */
const NOT_SERVED = "--no-serve-artifacts";

/** Whether MLflow says that it serves no artifacts, which it does with the status of a server that is away. */
export function isNotServed(body: string): boolean {
  return body.includes(NOT_SERVED);
}

export function artifactCalls(send: Send, target: Result<Target>, timeoutMs: number, deps: MlflowDeps) {
  return {
    /** One directory of a run's artifacts, paths relative to the run's root. A path that is not there is empty. */
    listArtifacts: (list: {
      runId: string;
      path?: string;
      pageToken?: string;
    }): Promise<Result<Page<Artifact>>> =>
      send(
        read("artifacts/list", artifactPage, {
          run_id: list.runId,
          ...(list.path === undefined ? {} : { path: list.path }),
          ...(list.pageToken === undefined ? {} : { page_token: list.pageToken }),
        }),
      ),

    /** One directory of the artifact store that the server serves, paths relative to it. One that is not there is empty. */
    listStored: (path: string): Promise<Result<Artifact[]>> =>
      send({ ...read(STORE, storePage, { path }), of: "api" }),

    /**
     * Opens a file, by the address that MLflow's own user interface uses, since it works for every artifact store.
     * `timeoutMs` covers the time to the first byte only: a large file takes as long as it takes. A file that is not
     * there is "gone", a directory "invalid".
     */
    openArtifact: (file: { runId: string; path: string }): Promise<Result<ArtifactFile>> =>
      observed(deps, ENDPOINT, target, (reached) => open(reached, timeoutMs, file, deps)),

    /**
     * Writes a file over whatever has its path. A server that serves no artifacts is "misconfigured". MLflow says no more
     * than that it was taken: a listing tells how much of it.
     */
    putArtifact: ({ body, contentType, timeoutMs: ms, ...place }: ArtifactUpload): Promise<Result<void>> =>
      observed(deps, STORE, target, (reached) =>
        change(reached, ms, place, { method: "PUT", body, headers: { "content-type": contentType } }, deps),
      ),

    /** Removes a file; succeeds where there is none. */
    deleteArtifact: (place: Place): Promise<Result<void>> =>
      observed(deps, STORE, target, (reached) =>
        change(reached, timeoutMs, place, { method: "DELETE" }, deps),
      ),
  };
}

async function change(
  { api, headers, clean }: Target,
  timeoutMs: number,
  { root, path }: Place,
  init: { method: string; body?: ReadableStream<Uint8Array>; headers?: Record<string, string> },
  { fetch, now }: MlflowDeps,
): Promise<CallAnswer<void>> {
  const request = new Headers(headers);
  for (const [name, value] of Object.entries(init.headers ?? {})) request.set(name, value);
  let status: number | null = null;
  try {
    const response = await fetch(`${api}${STORE}/${encodedPath(`${root}/${path}`)}`, {
      ...init,
      headers: request,
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });
    status = response.status;
    const body = await response.text();
    if (status === 200) return { result: { ok: true, value: undefined }, status };
    const failure = isNotServed(body)
      ? failed("misconfigured", clean(body), status)
      : classify(UPLOAD, { status, headers: response.headers, body }, now(), clean);
    return { result: { ok: false, failure }, status };
  } catch (error) {
    const failure = unanswered(UPLOAD, clean(describe(error, timeoutMs)), status);
    return { result: { ok: false, failure }, status };
  }
}

/**
 * Where a run's files are in the artifact store that the server serves; null where it keeps them elsewhere, out of reach
 * of whoever only speaks to it. MLflow takes a location with dots from whoever makes an experiment: such a one would lead
 * out of the store, to anything else that the server answers.
 */
export function servedRoot(artifactUri: string): string | null {
  const [, root] = /^mlflow-artifacts:(?:\/\/[^/]*)?\/+(.+?)\/*$/.exec(artifactUri) ?? [];
  return root !== undefined && isStraight(root) ? root : null;
}

async function open(
  { server, headers, clean }: Target,
  timeoutMs: number,
  { runId, path }: { runId: string; path: string },
  { fetch, now }: MlflowDeps,
): Promise<CallAnswer<ArtifactFile>> {
  const request = new Headers(headers);
  request.set("accept", "*/*");
  const waited = new AbortController();
  const timer = setTimeout(() => waited.abort(new DOMException("", "TimeoutError")), timeoutMs);
  let status: number | null = null;
  try {
    const response = await fetch(`${server}/${ENDPOINT}?${new URLSearchParams({ run_uuid: runId, path })}`, {
      headers: request,
      redirect: "manual",
      signal: waited.signal,
    });
    status = response.status;
    if (response.status === 200) return { result: fileOf(response), status };
    const body = await response.text();
    const failure = classify(DOWNLOAD, { status, headers: response.headers, body }, now(), clean);
    return { result: { ok: false, failure }, status };
  } catch (error) {
    const failure = unanswered(DOWNLOAD, clean(describe(error, timeoutMs)), status);
    return { result: { ok: false, failure }, status };
  } finally {
    clearTimeout(timer);
  }
}

/** MLflow sends every file as an attachment; a page of anybody else's is not one. */
function fileOf({ headers, body, status }: Response): Result<ArtifactFile> {
  if (!headers.get("content-disposition")?.startsWith("attachment"))
    return {
      ok: false,
      failure: failed("misconfigured", `Not an MLflow server: ${ENDPOINT} sent no file`, status),
    };
  const length = headers.get("content-length");
  // The length of what was compressed on the way is not the file's.
  const bytes = length === null || headers.has("content-encoding") ? null : Number(length);
  return { ok: true, value: { body, bytes } };
}
