import { invalid } from "../../domain/problems.ts";
import { HttpFailure } from "../../errors.ts";
import {
  beginParts,
  dropParts,
  MAX_PARTS,
  PART_BYTES,
  type Parted,
  takePart,
} from "../../relay/artifacts/parts.ts";
import type { Deps } from "../../relay/deps.ts";
import { readUpload as uploadOf } from "../../store/artifacts/uploads.ts";
import { iso } from "../../store/listing/common.ts";
import { trialStream } from "../../store/views/state.ts";
import { BIND_ONE, checkPath, checksumsOf, refusedAs } from "../artifacts/upload.ts";
import { ownView } from "../artifacts/view.ts";
import { found, noSuch, refusal } from "../door/query.ts";
import { routes } from "../route.ts";
import { uploads } from "./contract.ts";
import { completed, over, partOf } from "./part.ts";

export const uploadRoutes = routes(uploads, {
  beginUpload: async ({ relay, path: { id }, readBody }) => {
    const stream = found(await trialStream(relay.db, id), `trial ${id}`);
    const { path, content_type: contentType = null } = await readBody();
    checkPath(path);
    const upload = await beginParts(relay, bucketOf(relay), stream, { path, contentType });
    if (upload === null) throw refusedAs({ kind: "unavailable" }, path);
    return view(upload);
  },
  getUpload: async ({ relay, path: { id, upload } }) => view((await ofTrial(relay, id, upload)).upload),
  putUploadPart: async ({ c, relay, path: { id, upload: uploadId, number: text } }) => {
    const { bucket, upload } = await ofTrial(relay, id, uploadId);
    if (upload.isDone) throw over();
    const number = Number(text);
    if (!/^\d{1,3}$/.test(text) || number < 1 || number > MAX_PARTS)
      throw refusal([invalid(["number"], `must be a whole number from 1 to ${MAX_PARTS}`, text)]);
    const part = await takePart(relay, bucket, upload, { number, ...partOf(c, PART_BYTES) });
    if ("kind" in part) throw refusedAs(part, upload.path);
    return { number, bytes: part.bytes };
  },
  completeUpload: async ({ c, relay, path: { id, upload: uploadId } }) => {
    const { bucket, streamId, upload } = await ofTrial(relay, id, uploadId);
    const checksums = checksumsOf(c.req.raw.headers);
    return ownView(await completed(relay, bucket, { streamId, upload, partBytes: PART_BYTES }, checksums));
  },
  dropUpload: async ({ relay, path: { id, upload: uploadId } }) => {
    const { bucket, upload } = await ofTrial(relay, id, uploadId);
    await dropParts(relay, bucket, upload);
    return { dropped: true as const };
  },
});

function bucketOf({ bucket }: Pick<Deps, "bucket">): R2Bucket {
  if (bucket !== null) return bucket;
  throw new HttpFailure({
    kind: "not_implemented",
    detail: `This relay has no bucket for files: ${BIND_ONE}`,
  });
}

async function ofTrial(relay: Deps, id: string, uploadId: string) {
  const bucket = bucketOf(relay);
  const { id: streamId } = found(await trialStream(relay.db, id), `trial ${id}`);
  const upload = await uploadOf(relay.db, streamId, uploadId, relay.now());
  if (upload === null) throw noSuch(`upload ${uploadId} of trial ${id}`);
  return { bucket, streamId, upload };
}

function view({ id, path, parts, expiresAt }: Parted) {
  return {
    id,
    path,
    part_bytes: PART_BYTES,
    parts: parts.map(({ number, bytes }) => ({ number, bytes })),
    expires_at: iso(expiresAt),
  };
}
