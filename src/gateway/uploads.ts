import type { Context } from "hono";
import { beginParts, dropParts, type Parted, takePart } from "../relay/artifacts/parts.ts";
import { checkPath, refusedAs } from "../routes/artifacts/upload.ts";
import type { AppEnv } from "../routes/door/context.ts";
import { isSigned, signed } from "../routes/door/own-key.ts";
import { completed, over, partOf } from "../routes/uploads/part.ts";
import { readUpload } from "../store/artifacts/uploads.ts";
import { ownerOf } from "./artifacts.ts";
import { invalid, Refusal } from "./refusal.ts";
import type { ArtifactPlace } from "./requests/artifacts.ts";
import { readAbortUpload, readCompleteUpload, readCreateUpload } from "./requests/uploads.ts";
import { bodyOf, type GatewayRoute } from "./route.ts";

/**
 * Files in parts by MLflow's own protocol: its clients send what is larger than 500 MB so, since a request that large goes
 * through no Worker. Each part goes to an address that a signature opens, as clients send no token with it.
 */

const MPU = "/2.0/mlflow-artifacts/mpu";
const KEY_USE = "trial-relay upload of an MLflow client";
/** What R2 takes of each but the last. */
const MIN_PART_BYTES = 5 * 1024 * 1024;
const SIGNATURE = "x-relay-upload";
/** By these words clients know that they are to send the file whole. */
const UNSUPPORTED = "Multipart upload is not supported for the current artifact repository";

type Answer = (c: Context<AppEnv>) => Promise<object>;

const create: Answer = async (c) => {
  const { relay } = c.var;
  const { origin, pathname } = new URL(c.req.url);
  const { place, parts } = readCreateUpload(pathname, await bodyOf(c));
  const { owner, bucket, path } = await placed(c, place);
  checkPath(path);
  const stream = { id: owner.streamId, key: owner.key };
  const upload = await beginParts(relay, bucket, stream, { path, contentType: null });
  if (upload === null) throw refusedAs({ kind: "unavailable" }, path);
  const headers = { [SIGNATURE]: await signed(relay.config.adminToken, KEY_USE, upload.id) };
  return {
    upload_id: upload.id,
    credentials: Array.from({ length: parts }, (_, i) => ({
      url: `${origin}/api${MPU}/part/${upload.id}/${i + 1}`,
      part_number: i + 1,
      headers,
    })),
  };
};

const part: Answer = async (c) => {
  const { relay } = c.var;
  const { upload: id = "", number = "" } = c.req.param();
  const signature = c.req.header(SIGNATURE) ?? "";
  if (!(await isSigned(relay.config.adminToken, KEY_USE, id, signature)))
    throw new Refusal("PERMISSION_DENIED", `The header ${SIGNATURE} does not open this upload.`);
  const upload = await readUpload(relay.db, null, id, relay.now());
  if (upload === null || relay.bucket === null) throw noSuch(id);
  if (upload.isDone) throw over();
  const { maxBytes } = relay.config.artifacts;
  const sent = { number: Number(number), ...partOf(c, maxBytes) };
  const taken = await takePart(relay, relay.bucket, upload, sent);
  if ("kind" in taken) throw refusedAs(taken, upload.path);
  return new Response(null, { headers: { etag: quoted(taken.etag) } });
};

const complete: Answer = async (c) => {
  const { place, uploadId, parts } = readCompleteUpload(new URL(c.req.url).pathname, await bodyOf(c));
  const { owner, bucket, upload } = await begun(c, place, uploadId);
  const sent = new Map(upload.parts.map(({ number, etag }) => [number, quoted(etag)]));
  const wrong = upload.isDone ? undefined : parts.find(({ number, etag }) => sent.get(number) !== etag);
  if (wrong !== undefined || (!upload.isDone && parts.length !== sent.size))
    throw invalid(
      `Invalid value for parameter 'parts' supplied: they must be the ${sent.size} that were sent, with the ETags that were answered${wrong ? `; part ${wrong.number} is not` : ""}.`,
    );
  const partBytes = upload.parts[0]?.bytes ?? 0;
  if (upload.parts.length > 1 && partBytes < MIN_PART_BYTES)
    throw invalid(
      `Every part but the last must have at least ${MIN_PART_BYTES} bytes, got ${partBytes}: see MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE.`,
    );
  await completed(c.var.relay, bucket, { streamId: owner.streamId, upload, partBytes }, []);
  return {};
};

/** What is not there any more is dropped already. */
const abort: Answer = async (c) => {
  const { place, uploadId } = readAbortUpload(new URL(c.req.url).pathname, await bodyOf(c));
  const { owner, bucket } = await placed(c, place);
  const { relay } = c.var;
  const upload = await readUpload(relay.db, owner.streamId, uploadId, relay.now());
  if (upload !== null) await dropParts(relay, bucket, upload);
  return {};
};

const route = (path: string, answer: Answer): GatewayRoute => ({
  methods: ["POST"],
  path: `${MPU}/${path}/:directory{.+}`,
  scope: "ingest",
  answer,
});

export const UPLOAD_ROUTES: readonly GatewayRoute[] = [
  route("create", create),
  route("complete", complete),
  route("abort", abort),
  { methods: ["PUT"], path: `${MPU}/part/:upload/:number{[1-9][0-9]{0,3}}`, scope: null, answer: part },
];

/** Whose file it is, where the relay keeps it. What only MLflow has is sent whole, and passed on. */
async function placed(c: Context<AppEnv>, place: ArtifactPlace | null) {
  const owner = await ownerOf(c, place);
  const { bucket } = c.var.relay;
  if (place === null || owner === null || bucket === null) throw new Refusal("NOT_IMPLEMENTED", UNSUPPORTED);
  return { owner, bucket, path: place.path };
}

async function begun(c: Context<AppEnv>, place: ArtifactPlace | null, id: string) {
  const { owner, bucket, path } = await placed(c, place);
  const { relay } = c.var;
  const upload: Parted | null = await readUpload(relay.db, owner.streamId, id, relay.now());
  if (upload === null || upload.path !== path) throw noSuch(id);
  return { owner, bucket, upload };
}

function noSuch(id: string): Refusal {
  return new Refusal("RESOURCE_DOES_NOT_EXIST", `No such upload: '${id}'`);
}

/** As a header has it. */
function quoted(etag: string): string {
  return `"${etag}"`;
}
