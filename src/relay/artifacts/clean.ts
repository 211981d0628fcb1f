import {
  forgetObjects,
  type LooseObject,
  retireObjects,
  takeGarbage,
} from "../../store/artifacts/garbage.ts";
import { forgetUploads } from "../../store/artifacts/uploads.ts";
import type { Deps } from "../deps.ts";

/** What one pass deletes; R2 takes so many keys in one call. */
const MAX_OBJECTS = 1_000;

/**
 * Deletes from the bucket what no file has: broken uploads, what was replaced or removed, and, if so set, what MLflow has
 * had for long enough.
 * @returns how many objects
 */
export async function cleanBucket({ db, bucket, config, now }: Deps): Promise<number> {
  if (bucket === null) return 0;
  await forgetUploads(db, null, now());
  const { retentionMs } = config.artifacts;
  if (retentionMs !== null) await retireObjects(db, now() - retentionMs, now(), MAX_OBJECTS);
  const garbage = await takeGarbage(db, now(), MAX_OBJECTS);
  if (garbage.length === 0) return 0;
  await bucket.delete(garbage.map(({ key }) => key));
  for (const object of garbage) await abort(bucket, object);
  await forgetObjects(
    db,
    garbage.map(({ key }) => key),
  );
  return garbage.length;
}

/** One that is over already cannot be aborted. */
async function abort(bucket: R2Bucket, { key, uploadId }: LooseObject): Promise<void> {
  if (uploadId === null) return;
  await bucket
    .resumeMultipartUpload(key, uploadId)
    .abort()
    .catch(() => undefined);
}
