import { isNamed, readRange } from "../../domain/byte-range.ts";
import { invalid } from "../../domain/problems.ts";
import { HttpFailure } from "../../errors.ts";
import { errorText } from "../../log.ts";
import type { Failure } from "../../mlflow/failure.ts";
import { type Files, type Found, findFile } from "../../relay/artifacts/list.ts";
import { openObject } from "../../relay/artifacts/pieces.ts";
import type { Deps } from "../../relay/deps.ts";
import { noSuch, refusal } from "../door/query.ts";

const RETRY_AFTER_SECONDS = 5;

/**
 * A file of a run, from the bucket if it is there, else from MLflow.
 * @param what it is called where there is none
 * @throws HttpFailure not_found, no_such_range, invalid_request, unavailable
 */
export async function fileOf(
  deps: Deps,
  request: Request,
  { streamId, mlflowRunId }: Files,
  path: string,
  what: string,
): Promise<Response> {
  const own = streamId === null ? "elsewhere" : await ownFile(deps, request, streamId, path);
  if (own instanceof Response) return own;
  if (own === "removed" || mlflowRunId === null) throw noSuch(what);
  return fromMlflow(deps, mlflowRunId, path, what);
}

/**
 * A file whose bytes are here.
 * @returns "removed", or "elsewhere" where MLflow may have it
 * @throws HttpFailure no_such_range, unavailable
 */
export async function ownFile(
  deps: Deps,
  request: Request,
  streamId: number,
  path: string,
): Promise<Response | "removed" | "elsewhere"> {
  const found = await findFile(deps, streamId, path);
  if (found.kind !== "here") return found.kind;
  return (await fromBucket(deps, request, found, path)) ?? "elsewhere";
}

/** Null where the bucket has lost it. */
async function fromBucket(
  { log }: Pick<Deps, "log">,
  request: Request,
  { artifact, bucket, objectKey }: Extract<Found, { kind: "here" }>,
  path: string,
): Promise<Response | null> {
  const { bytes, sha256, contentType, updatedAt } = artifact;
  const etag = `"${sha256}"`;
  const headers = headersOf(path, contentType);
  headers.set("etag", etag);
  headers.set("last-modified", new Date(updatedAt).toUTCString());
  headers.set("accept-ranges", "bytes");
  headers.set("cache-control", "private, no-cache");
  if (isNamed(request.headers.get("if-none-match"), etag))
    return new Response(null, { status: 304, headers });
  const ifRange = request.headers.get("if-range");
  const isWhole = request.method === "HEAD" || (ifRange !== null && ifRange !== etag);
  const range = isWhole ? null : readRange(request.headers.get("range"), bytes);
  if (range === "none")
    throw new HttpFailure({ kind: "no_such_range", detail: `The file has ${bytes} bytes.`, bytes });
  const length = range?.length ?? bytes;
  headers.set("content-length", String(length));
  if (range) headers.set("content-range", `bytes ${range.offset}-${range.offset + length - 1}/${bytes}`);
  if (request.method === "HEAD") return new Response(null, { headers });
  const body = await openObject(bucket, objectKey, range ?? { offset: 0, length }).catch((error) => {
    log.error("a file could not be read from the bucket", { path, error: errorText(error) });
    throw new HttpFailure({
      kind: "unavailable",
      detail: "The bucket that has the file's bytes does not answer just now.",
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  });
  if (!body) return null;
  return new Response(body, { status: range ? 206 : 200, headers });
}

async function fromMlflow({ mlflow }: Deps, runId: string, path: string, what: string): Promise<Response> {
  const opened = await mlflow.openArtifact({ runId, path });
  if (!opened.ok) throw refusedBy(opened.failure, path, what);
  const { body, bytes } = opened.value;
  // MLflow looks at names and bytes to tell a type; here nothing is claimed.
  const headers = headersOf(path, "application/octet-stream");
  headers.set("cache-control", "no-store");
  if (bytes !== null) headers.set("content-length", String(bytes));
  return new Response(body, { headers });
}

/** Whatever it is, a browser is not to run or show it under this address. */
function headersOf(path: string, type: string): Headers {
  return new Headers({
    "content-type": type,
    "content-disposition": `attachment; filename*=UTF-8''${encoded(path.split("/").at(-1) ?? "artifact")}`,
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox; default-src 'none'",
  });
}

/** RFC 5987: what encodeURIComponent leaves as it is, this does not all allow. */
function encoded(name: string): string {
  return encodeURIComponent(name.toWellFormed()).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** What MLflow's refusal of a path is here. */
export function refusedBy({ kind, message }: Failure, path: string, what: string): HttpFailure {
  if (kind === "gone") return new HttpFailure({ kind: "not_found", detail: `MLflow has no ${what}.` });
  if (kind === "invalid")
    return refusal([invalid(["path"], `must be a path that MLflow takes (${message})`, path)]);
  return new HttpFailure({
    kind: "unavailable",
    detail: `MLflow cannot be asked for artifacts just now: ${message}`,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}
