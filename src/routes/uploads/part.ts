import type { Context } from "hono";
import { invalid } from "../../domain/problems.ts";
import { HttpFailure } from "../../errors.ts";
import { completeParts, missingPart, type Parted } from "../../relay/artifacts/parts.ts";
import type { Deps } from "../../relay/deps.ts";
import { checksumsOf, refusedAs } from "../artifacts/upload.ts";
import type { AppEnv } from "../door/context.ts";
import { refusal } from "../door/query.ts";

/** What both ways of sending a file in parts have in common: the relay's own, and MLflow's. */

/** A request's body as a part of at most `maxBytes`. */
export function partOf(c: Context<AppEnv>, maxBytes: number) {
  const { headers, body } = c.req.raw;
  const length = Number(headers.get("content-length") ?? Number.NaN);
  if (!(length > 0) || body === null)
    throw refusal([
      invalid(["Content-Length"], "must say how long the part is", headers.get("content-length")),
    ]);
  if (length > maxBytes)
    throw new HttpFailure({
      kind: "payload_too_large",
      detail: `A part has at most ${maxBytes} bytes, got ${length}.`,
    });
  return { body, length, checksums: checksumsOf(headers) };
}

/**
 * The file of an upload whose parts are all there, listed.
 * @param partBytes the size of every part but the last
 * @throws HttpFailure conflict while one is missing; as a file in one piece where it is not kept
 */
export async function completed(
  relay: Deps,
  bucket: R2Bucket,
  { streamId, upload, partBytes }: { streamId: number; upload: Parted; partBytes: number },
  checksums: ReturnType<typeof checksumsOf>,
) {
  const missing = upload.isDone ? null : missingPart(upload, partBytes);
  if (missing !== null)
    throw new HttpFailure({
      kind: "conflict",
      detail: `Part ${missing} is missing, or has not ${partBytes} bytes as every part but the last must.`,
    });
  const kept = await completeParts(relay, bucket, streamId, upload, checksums);
  if (kept.kind === "kept") return kept.artifact;
  throw kept.kind === "over" ? over() : refusedAs(kept, upload.path);
}

export function over(): HttpFailure {
  return new HttpFailure({ kind: "conflict", detail: "This upload is over: begin another." });
}
