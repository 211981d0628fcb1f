import { read } from "./calls.ts";
import { classify, failed, type Result, unanswered } from "./failure.ts";
import { type CallOutcome, describe, type MlflowDeps, observed, type Send } from "./http.ts";
import { artifactPage } from "./schemas.ts";
import type { Target } from "./target.ts";
import type { Artifact, Page } from "./types.ts";

/** A file as it arrives; null when it is empty; `bytes` is its size where MLflow says so. */
export type ArtifactFile = { body: ReadableStream<Uint8Array> | null; bytes: number | null };

const DOWNLOAD = { access: "read", target: "id" } as const;
const ENDPOINT = "get-artifact";

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

    /**
     * Opens a file, by the address that MLflow's own user interface uses, since it works for every artifact store.
     * `timeoutMs` covers the time to the first byte only: a large file takes as long as it takes. A file that is not
     * there is "gone", a directory "invalid".
     */
    openArtifact: (file: { runId: string; path: string }): Promise<Result<ArtifactFile>> =>
      observed(deps, ENDPOINT, target, (reached) => open(reached, timeoutMs, file, deps)),
  };
}

async function open(
  { server, headers, clean }: Target,
  timeoutMs: number,
  { runId, path }: { runId: string; path: string },
  { fetch, now }: MlflowDeps,
): Promise<CallOutcome<ArtifactFile>> {
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
