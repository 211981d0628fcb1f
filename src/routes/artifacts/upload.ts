import type { Context } from "hono";
import { artifactPathProblem } from "../../domain/artifact-path.ts";
import { readChecksums } from "../../domain/checksums.ts";
import { invalid } from "../../domain/problems.ts";
import { HttpFailure } from "../../errors.ts";
import { type Kept, keepFile } from "../../relay/artifacts/keep.ts";
import { MAX_PARTED_BYTES } from "../../relay/artifacts/parts.ts";
import { passFile } from "../../relay/artifacts/pass.ts";
import type { Artifact } from "../../store/artifacts/files.ts";
import type { AppEnv } from "../door/context.ts";
import { refusal } from "../door/query.ts";

const RETRY_AFTER_SECONDS = 5;

/**
 * Refuses a path that cannot be a file's.
 * @param address of the request, where the path is its end: routes do not tell a slash there from none
 * @throws HttpFailure invalid_request
 */
export function checkPath(path: string, address?: string): void {
  const isOpen = address !== undefined && new URL(address).pathname.endsWith("/");
  const problem = artifactPathProblem(isOpen ? `${path}/` : path);
  if (problem !== null) throw refusal([invalid(["path"], problem, path)]);
}

/**
 * Keeps a request's body as a file of a run.
 * @throws HttpFailure invalid_request for its path, a checksum, or a body that is cut; 413, 415, 409, 501, 503
 */
export async function keepBody(
  c: Context<AppEnv>,
  stream: { id: number; key: string },
  path: string,
): Promise<Artifact> {
  const { relay } = c.var;
  const body = readUpload(c, path);
  if (relay.bucket === null)
    throw new HttpFailure({
      kind: "not_implemented",
      detail: `This relay has no bucket for files: ${BIND_ONE}`,
    });
  const kept = await keepFile(relay, relay.bucket, { stream, ...body });
  if (kept.kind === "kept") return kept.artifact;
  throw refusedAs(kept, path);
}

/**
 * Has a request's body go straight to a run in MLflow, where no bucket is bound.
 * @throws HttpFailure as `keepBody` does; 501 while MLflow does not take it
 */
export async function passBody(c: Context<AppEnv>, mlflowRunId: string | null, path: string) {
  const { length, ...body } = readUpload(c, path);
  if (length === null)
    throw refusal([
      { field: "Content-Length", rule: "must be there where the relay has no bucket", value: "" },
    ]);
  const passed =
    mlflowRunId === null
      ? { kind: "refused" as const, reason: "its run is not there yet" }
      : await passFile(c.var.relay, mlflowRunId, { ...body, length });
  if (passed.kind === "passed") return passed;
  if (passed.kind === "wrong_checksum") throw refusedAs(passed, path);
  throw new HttpFailure({
    kind: "not_implemented",
    detail: `This relay has no bucket for files, and MLflow does not take it just now (${passed.reason}): ${BIND_ONE}`,
  });
}

export const BIND_ONE = 'bind one as ARTIFACTS (docs/operators.md, "Artifacts").';

/** A body as it is to be kept, and what is said of it. */
export function readUpload(c: Context<AppEnv>, path: string) {
  checkPath(path, c.req.url);
  const { headers, body } = c.req.raw;
  const coding = headers.get("content-encoding") ?? "identity";
  if (coding.toLowerCase() !== "identity")
    throw new HttpFailure({
      kind: "unsupported_media_type",
      detail: "A file is taken as it is: send it without Content-Encoding.",
      acceptEncoding: "identity",
    });
  const checksums = checksumsOf(headers);
  const announced = headers.get("content-length");
  const length = announced === null ? (body === null ? 0 : null) : Number(announced);
  return { path, body, length, contentType: headers.get("content-type"), checksums };
}

/** What is said of a body's checksums. */
export function checksumsOf(headers: Headers) {
  const checksums = readChecksums(headers);
  if ("rule" in checksums) throw refusal([invalid([checksums.header], checksums.rule, checksums.value)]);
  return checksums;
}

/** What is answered where a file is not kept. */
export function refusedAs(kept: Exclude<Kept, { kind: "kept" }>, path: string): HttpFailure {
  switch (kept.kind) {
    case "too_large":
      if (kept.maxBytes === MAX_PARTED_BYTES)
        return new HttpFailure({
          kind: "payload_too_large",
          detail: `A file may have at most ${kept.maxBytes} bytes, in parts too: the stores behind MLflow take no more in one piece. Write a larger one to MLflow's artifact store directly and log where it is.`,
        });
      return new HttpFailure({
        kind: "payload_too_large",
        detail: `A file may have at most ${kept.maxBytes} bytes here (RELAY_MAX_ARTIFACT_MB, and what the platform's plan takes of one request). Send a larger one in parts (POST /api/trials/:id/uploads), or write it to MLflow's artifact store directly and log where it is.`,
      });
    case "cut":
      return refusal([
        { field: "body", rule: "must be as long as Content-Length says", value: "less or more of it" },
      ]);
    case "wrong_checksum":
      return refusal([invalid([kept.header], "must be the body's checksum", kept.hex)]);
    case "collides":
      return new HttpFailure({
        kind: "conflict",
        detail: `There is a file ${kept.path} already, and no path can be a file and a directory: ${path} cannot be kept beside it.`,
      });
    case "unavailable":
      return new HttpFailure({
        kind: "unavailable",
        detail: "The file could not be kept just now. Nothing of it is listed.",
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
  }
}
