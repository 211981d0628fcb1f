import { type Checksum, wrongChecksum } from "../../domain/checksums.ts";
import { mediaTypeOf } from "../../domain/media-type.ts";
import { errorText } from "../../log.ts";
import type { Artifact } from "../../store/artifacts/files.ts";
import { forgetObjects } from "../../store/artifacts/garbage.ts";
import {
  type KeptArtifact,
  keepArtifact,
  type NewArtifact,
  noteLost,
  noteObject,
} from "../../store/artifacts/keep.ts";
import type { Deps } from "../deps.ts";
import { artifactMessage } from "../messages.ts";
import { tryEnqueue } from "../queues.ts";
import { BodyCut, BodyTooLarge, type Received, receive } from "./receive.ts";

/** An upload takes less; what is left of one that broke is garbage after this. */
const UPLOAD_MS = 86_400_000;

export type Upload = {
  stream: { id: number; key: string };
  /** One without a problem. */
  path: string;
  body: ReadableStream<Uint8Array> | null;
  /** As it was announced; null: not at all. */
  length: number | null;
  contentType: string | null;
  checksums: readonly Checksum[];
};

/** What became of an upload; of any but the first nothing is listed. */
export type Kept =
  | { kind: "kept"; artifact: Artifact }
  | { kind: "too_large"; maxBytes: number }
  | { kind: "cut" }
  | { kind: "wrong_checksum"; header: string; hex: string }
  | { kind: "collides"; path: string }
  | { kind: "unavailable" };

/** Keeps a file of a run, and has it brought to MLflow. */
export async function keepFile(deps: Deps, bucket: R2Bucket, upload: Upload): Promise<Kept> {
  const { stream, length, checksums } = upload;
  const { maxBytes } = deps.config.artifacts;
  if (length !== null && length > maxBytes) return { kind: "too_large", maxBytes };
  // Not the path itself: a key has at most 1,024 bytes.
  const key = `${stream.key}/${crypto.randomUUID()}`;
  const received = await arrived(deps, bucket, key, upload);
  if ("kind" in received) return received;
  const wrong = wrongChecksum(checksums, received);
  if (wrong) {
    await discard(deps, bucket, key);
    return wrong;
  }
  const kept = await listed(deps, bucket, upload, key, received);
  if (kept.kind === "kept") await announceKept(deps, kept.artifact);
  return kept;
}

/** Counts a file that was kept, and has it brought to MLflow where that does not have it. */
export async function announceKept(deps: Deps, { id, version, deliveredVersion }: Artifact): Promise<void> {
  deps.tally.add('relay_artifacts_total{outcome="kept"}');
  if (deliveredVersion < version) await tryEnqueue(deps, artifactMessage(id));
}

/** The whole body in the bucket, or nothing of it. */
async function arrived(
  deps: Deps,
  bucket: R2Bucket,
  key: string,
  { path, body, length }: Upload,
): Promise<Received | Kept> {
  const { db, config, now } = deps;
  const { maxBytes } = config.artifacts;
  const note = (uploadId: string | null) => noteObject(db, key, uploadId, now() + UPLOAD_MS);
  try {
    await note(null);
    return await receive(bucket, key, { body, length, maxBytes }, note);
  } catch (error) {
    await discard(deps, bucket, key);
    if (error instanceof BodyCut) return { kind: "cut" };
    if (error instanceof BodyTooLarge) return { kind: "too_large", maxBytes };
    deps.log.error("a file could not be kept", { path, error: errorText(error) });
    return { kind: "unavailable" };
  }
}

/**
 * Lists a file whose bytes are in the bucket. Where the same are listed already these stay what it has, unless the bucket
 * has lost them.
 */
export async function listObject(
  { db, now }: Deps,
  bucket: R2Bucket,
  file: NewArtifact,
): Promise<KeptArtifact> {
  const kept = await keepArtifact(db, file, now());
  if (kept.kind !== "kept") return kept;
  const { id, objectKey } = kept.artifact;
  if (objectKey === null || objectKey === file.objectKey || (await bucket.head(objectKey)) !== null)
    return kept;
  await noteLost(db, id, objectKey);
  return keepArtifact(db, file, now());
}

/** Where the database's answer is lost the object stays: it may be listed, and if it is not the cron deletes it. */
async function listed(
  deps: Deps,
  bucket: R2Bucket,
  { stream, path, contentType, checksums }: Upload,
  objectKey: string,
  { bytes, sha256, md5 }: Received,
): Promise<Kept> {
  const isMd5Given = checksums.some(({ algorithm }) => algorithm === "md5");
  const file = { streamId: stream.id, path, objectKey, bytes, sha256, md5: isMd5Given ? md5 : null };
  try {
    const kept = await listObject(deps, bucket, { ...file, contentType: mediaTypeOf(contentType, path) });
    const isOurs = kept.kind === "kept" && kept.artifact.objectKey === objectKey;
    // It is not listed, or the same bytes are there already and it may not be.
    if (!isOurs) await discard(deps, bucket, objectKey);
    return kept.kind === "lost" ? { kind: "unavailable" } : kept;
  } catch (error) {
    deps.log.error("a file could not be listed", { path, error: errorText(error) });
    return { kind: "unavailable" };
  }
}

/** Deletes an object that no file has. What is not deleted now the cron deletes. */
export async function discard({ db, log }: Deps, bucket: R2Bucket, key: string): Promise<void> {
  try {
    await bucket.delete(key);
    await forgetObjects(db, [key]);
  } catch (error) {
    log.warn("an object is left for the cron to delete", { error: errorText(error) });
  }
}
