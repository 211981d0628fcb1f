import { type Checksum, wrongChecksum } from "../../domain/checksums.ts";
import { mediaTypeOf } from "../../domain/media-type.ts";
import { errorText } from "../../log.ts";
import { artifactAt } from "../../store/artifacts/files.ts";
import { takeObject } from "../../store/artifacts/garbage.ts";
import { noteObject } from "../../store/artifacts/keep.ts";
import {
  beginUpload,
  expectPart,
  forgetUploads,
  notePart,
  noteUploadDone,
  type readUpload,
  type UploadPart,
} from "../../store/artifacts/uploads.ts";
import type { Deps } from "../deps.ts";
import { Digests } from "./digests.ts";
import { announceKept, discard, type Kept, listObject } from "./keep.ts";
import { piecesOf } from "./pieces.ts";
import { BodyCut, receivePart } from "./receive.ts";

/** All parts of a file but its last have this size: less is lost where a connection breaks, and a Worker takes it. */
export const PART_BYTES = 16 * 1024 * 1024;
export const MAX_PARTS = 298;
/** 5 GB, which is what the stores behind MLflow take in one piece. */
export const MAX_PARTED_BYTES = MAX_PARTS * PART_BYTES;
/** Whoever does not go on for so long does not come back. */
const IDLE_MS = 86_400_000;

/** An upload, and the parts of it that are there. */
export type Parted = NonNullable<Awaited<ReturnType<typeof readUpload>>>;

/** Begins a file that comes in parts; null where that cannot be just now. Nothing of it is listed before it is whole. */
export async function beginParts(
  { db, now, log }: Deps,
  bucket: R2Bucket,
  stream: { id: number; key: string },
  { path, contentType }: { path: string; contentType: string | null },
): Promise<Parted | null> {
  const id = crypto.randomUUID();
  const objectKey = `${stream.key}/${id}`;
  const expiresAt = now() + IDLE_MS;
  try {
    await noteObject(db, objectKey, null, expiresAt);
    const { uploadId: multipartId } = await bucket.createMultipartUpload(objectKey);
    await noteObject(db, objectKey, multipartId, expiresAt);
    const upload = { id, path, contentType, objectKey, multipartId, isDone: false, expiresAt };
    await beginUpload(db, stream.id, upload);
    return { ...upload, parts: [] };
  } catch (error) {
    log.error("a file in parts could not be begun", { path, error: errorText(error) });
    return null;
  }
}

type PartBody = {
  number: number;
  body: ReadableStream<Uint8Array>;
  length: number;
  checksums: readonly Checksum[];
};

/**
 * Takes a part, in place of whatever came under its number before, which is gone from the bucket by then. What does not
 * arrive as it should is not taken, nor what would make the file too large.
 */
export async function takePart(
  { db, now, log }: Deps,
  bucket: R2Bucket,
  upload: Parted,
  { number, body, length, checksums }: PartBody,
): Promise<UploadPart | Exclude<Kept, { kind: "kept" }>> {
  const others = upload.parts.reduce((sum, part) => sum + (part.number === number ? 0 : part.bytes), 0);
  if (others + length > MAX_PARTED_BYTES) return { kind: "too_large", maxBytes: MAX_PARTED_BYTES };
  const attempt = crypto.randomUUID();
  try {
    await expectPart(db, upload.id, number, attempt);
    const multipart = bucket.resumeMultipartUpload(upload.objectKey, upload.multipartId);
    const received = await receivePart(multipart, number, { body, length, maxBytes: length });
    const wrong = wrongChecksum(checksums, received);
    if (wrong) return wrong;
    const part = { number, bytes: received.bytes, etag: received.etag };
    // The same number came again meanwhile: nobody knows which of the two the bucket has.
    if (!(await notePart(db, upload, { ...part, attempt }, now() + IDLE_MS))) return { kind: "unavailable" };
    return part;
  } catch (error) {
    if (error instanceof BodyCut) return { kind: "cut" };
    log.error("a part of a file could not be kept", { path: upload.path, error: errorText(error) });
    return { kind: "unavailable" };
  }
}

/**
 * The number of the first part that is missing or not as large as it must be; null where the file is whole.
 * @param partBytes the size of every part but the last, which has no more
 */
export function missingPart({ parts }: Parted, partBytes: number): number | null {
  const wrong = parts.findIndex(
    ({ number, bytes }, i) =>
      number !== i + 1 || (i < parts.length - 1 ? bytes !== partBytes : bytes > partBytes),
  );
  if (wrong !== -1) return wrong + 1;
  return parts.length === 0 ? 1 : null;
}

/** Lists a file whose parts are all there. May be asked for again, also where an answer was lost half-way. */
export async function completeParts(
  deps: Deps,
  bucket: R2Bucket,
  streamId: number,
  upload: Parted,
  checksums: readonly Checksum[],
): Promise<Kept | { kind: "over" }> {
  const { db, log } = deps;
  const { id, path, objectKey, multipartId } = upload;
  try {
    if (upload.isDone) {
      const artifact = await artifactAt(db, streamId, path);
      return artifact?.removedAt === null ? { kind: "kept", artifact } : { kind: "over" };
    }
    if ((await bucket.head(objectKey)) === null)
      await bucket
        .resumeMultipartUpload(objectKey, multipartId)
        .complete(upload.parts.map(({ number, etag }) => ({ partNumber: number, etag })));
    const whole = await digestsOf(bucket, objectKey);
    const wrong = wrongChecksum(checksums, whole);
    if (wrong) {
      await dropParts(deps, bucket, upload);
      return wrong;
    }
    const contentType = mediaTypeOf(upload.contentType, path);
    const { bytes, sha256, md5 } = whole;
    const file = { streamId, path, objectKey, bytes, sha256, md5, contentType };
    const kept = await listObject(deps, bucket, file);
    if (kept.kind === "lost") return { kind: "unavailable" };
    if (kept.kind === "kept") {
      await noteUploadDone(db, id);
      await announceKept(deps, kept.artifact);
    }
    return kept;
  } catch (error) {
    log.error("a file in parts could not be completed", { path, error: errorText(error) });
    return { kind: "unavailable" };
  }
}

/** Drops an upload and all of its parts, but for a file that it completed, though nobody may have heard of that. */
export async function dropParts(deps: Deps, bucket: R2Bucket, upload: Parted): Promise<void> {
  const { id, objectKey, multipartId } = upload;
  if (await takeObject(deps.db, objectKey, deps.now())) {
    await bucket
      .resumeMultipartUpload(objectKey, multipartId)
      .abort()
      .catch(() => undefined);
    await discard(deps, bucket, objectKey);
  }
  await forgetUploads(deps.db, id, deps.now());
}

/** The parts were digested one by one: the whole is read once more, as it is in the bucket. */
async function digestsOf(bucket: R2Bucket, key: string) {
  const object = await bucket.head(key);
  if (!object) throw new Error("the bucket does not have what it completed");
  const digests = new Digests();
  for await (const piece of piecesOf(bucket, key, { offset: 0, length: object.size }))
    await digests.write(await piece.bytes());
  await digests.close();
  return { bytes: object.size, ...(await digests.hex()) };
}
