import type { Context } from "hono";
import { HttpFailure } from "../../errors.ts";
import type { Files } from "../../relay/artifacts/list.ts";
import { runById } from "../../store/gateway/runs.ts";
import { readRun } from "../../store/views/runs.ts";
import { trialStream } from "../../store/views/state.ts";
import { fileOf } from "../artifacts/file.ts";
import { checkPath } from "../artifacts/upload.ts";
import type { AppEnv } from "../door/context.ts";
import { found } from "../door/query.ts";
import { routes } from "../route.ts";
import { previews } from "./contract.ts";
import { previewDocument, type Shown } from "./document.tsx";
import { previewOf } from "./kind.ts";

const MAX_TEXT_BYTES = 256_000;
/** What Markdown takes to read may grow faster than it does. */
const MAX_MARKDOWN_BYTES = 64_000;
const MAX_IMAGE_BYTES = 4_000_000;

export const previewRoutes = routes(previews, {
  previewTrialArtifact: async ({ c, relay, path: { id, path } }) => {
    const { id: streamId, mlflowRunId } = found(await trialStream(relay.db, id), `trial ${id}`);
    return preview(c, { streamId, mlflowRunId }, path, `artifact ${path} of trial ${id}`);
  },
  previewArtifact: async ({ c, relay, path: { id, path } }) => {
    found(await readRun(relay.db, id), `run ${id}`);
    const streamId = (await runById(relay.db, id))?.streamId ?? null;
    return preview(c, { streamId, mlflowRunId: id }, path, `artifact ${path} of run ${id}`);
  },
});

/** @throws HttpFailure what looking for the file does, and unsupported_media_type where it cannot be shown */
async function preview(c: Context<AppEnv>, files: Files, path: string, what: string): Promise<Response> {
  checkPath(path, c.req.url);
  const whole = new Request(c.req.url);
  const file = await fileOf(c.var.relay, whole, files, path, what);
  const shown = await shownOf(file, path);
  const nonce = crypto.randomUUID();
  return new Response(await previewDocument(path.split("/").at(-1) ?? path, shown, nonce), {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": `sandbox; default-src 'none'; style-src 'nonce-${nonce}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'`,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": "private, no-store",
    },
  });
}

async function shownOf({ body, headers }: Response, path: string): Promise<Shown> {
  const preview = previewOf(headers.get("content-type") ?? "", path);
  const length = headers.get("content-length");
  if (preview?.kind === "image" && Number(length) <= MAX_IMAGE_BYTES) {
    const { bytes, isWhole } = await firstOf(body, MAX_IMAGE_BYTES);
    if (isWhole) return { kind: "image", type: preview.type, bytes, note: null };
  } else if (preview !== null && preview.kind !== "image") {
    const most = preview.kind === "markdown" ? MAX_MARKDOWN_BYTES : MAX_TEXT_BYTES;
    const { bytes, isWhole } = await firstOf(body, most);
    const text = new TextDecoder().decode(bytes);
    const all = length === null ? "" : ` of ${Number(length).toLocaleString("en")} bytes`;
    const note = isWhole ? null : `The first ${most / 1_000} kB${all}: download the file for the rest.`;
    return { kind: preview.kind, text, note };
  } else await body?.cancel();
  throw new HttpFailure({
    kind: "unsupported_media_type",
    detail: "There is no preview of such a file, or of an image this large: download it.",
  });
}

/** At most so many bytes, and whether that is all. What is not read is not fetched. */
async function firstOf(body: ReadableStream<Uint8Array> | null, most: number) {
  const bytes = new Uint8Array(most);
  let length = 0;
  for await (const chunk of body ?? []) {
    bytes.set(chunk.subarray(0, most - length), Math.min(length, most));
    length += chunk.length;
    if (length > most) break;
  }
  return { bytes: bytes.subarray(0, length), isWhole: length <= most };
}
