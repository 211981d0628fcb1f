import * as z from "zod";
import { artifactView } from "../../answers/artifacts.ts";
import { count, maybeTime } from "../../answers/parts.ts";
import { MAX_PARTS, PART_BYTES } from "../../relay/artifacts/parts.ts";
import { ok, resource } from "../contract.ts";
import { ARTIFACT, KEPT_FILE, trialId, UPLOAD } from "../examples.ts";

const part = z.object({ number: count, bytes: count }).meta({ id: "UploadPart" });

const upload = z
  .object({
    id: z.string(),
    path: z.string().describe("The file's, from the run's root."),
    part_bytes: count.describe("The size of every part but the last."),
    parts: z.array(part).describe("Those that are kept. Go on with the next number."),
    expires_at: maybeTime.describe("Nobody can go on with it after this; each part puts it off by a day."),
  })
  .meta({ id: "Upload" });

const whole = z
  .object({
    path: z.string("must be a string").describe("The file's path from the run's root."),
    content_type: z.string("must be a string").optional().describe("Else by the end of its name."),
  })
  .meta({ id: "UploadRequest" });

const bytes = z.string().meta({ id: "UploadPartBytes", format: "binary", description: "The part as it is." });

const BEGUN = {
  id: UPLOAD,
  path: ARTIFACT,
  part_bytes: PART_BYTES,
  parts: [{ number: 1, bytes: PART_BYTES }],
  expires_at: "2026-11-04T09:30:00.000Z",
};

const one = { ...trialId, upload: { description: "The upload's id.", example: UPLOAD } };

/** `/api/trials/:id/uploads`: files that are larger than a request may be, or that take long. */
export const uploads = resource(
  "Uploads",
  "Files in parts: where a connection breaks, its trainer goes on with the part that it was at.",
  {
    beginUpload: {
      at: "POST /api/trials/:id/uploads",
      summary: "Begin a file in parts",
      description: `Up to ${MAX_PARTS} parts of ${PART_BYTES} bytes (\`split -b 16M\`), the last of them smaller. Nothing is listed before the file is whole.`,
      scope: "ingest",
      path: trialId,
      body: {
        description: "Which file.",
        schema: whole,
        examples: { weights: { summary: "A file", value: { path: ARTIFACT } } },
      },
      answers: {
        201: {
          description: "Its id, and how large a part is.",
          schema: upload,
          examples: { begun: { summary: "An upload", value: { ...BEGUN, parts: [] } } },
        },
      },
      refusals: [404, 501, 503],
    },
    getUpload: {
      at: "GET /api/trials/:id/uploads/:upload",
      summary: "How far an upload is",
      description: "Which parts are kept.",
      scope: "ingest",
      path: one,
      query: {},
      answers: ok("The upload.", upload, { first: { summary: "One part is there", value: BEGUN } }),
      refusals: [404, 501],
    },
    putUploadPart: {
      at: "PUT /api/trials/:id/uploads/:upload/parts/:number",
      summary: "Send a part",
      description:
        "The same number again replaces it. `Content-MD5`, `Digest`, `Content-Digest`, `Repr-Digest` and `X-Checksum-SHA256` are checked.",
      scope: "ingest",
      path: { ...one, number: { description: "Which part, from 1.", example: "1" } },
      query: {},
      sent: {
        description: "The part as it is.",
        contents: [
          { type: "*/*", schema: bytes, examples: { some: { summary: "Some bytes", value: "the rest" } } },
        ],
      },
      answers: ok("The part is kept.", part, {
        first: { summary: "A part", value: { number: 1, bytes: PART_BYTES } },
      }),
      refusals: [404, 409, 501, 503],
    },
    completeUpload: {
      at: "POST /api/trials/:id/uploads/:upload/complete",
      summary: "List a file whose parts are all there",
      description:
        "Safe to ask for again. With a checksum header of the whole file it is checked, and dropped where it is another.",
      scope: "ingest",
      path: one,
      query: {},
      answers: ok("The file as it is kept.", artifactView, {
        weights: { summary: "A file", value: KEPT_FILE },
      }),
      refusals: [404, 409, 501, 503],
    },
    dropUpload: {
      at: "DELETE /api/trials/:id/uploads/:upload",
      summary: "Drop an upload",
      description: "With all of its parts. A file that it completed stays.",
      scope: "ingest",
      path: one,
      query: {},
      answers: ok("It is dropped.", z.object({ dropped: z.literal(true) }).meta({ id: "UploadDropped" })),
      refusals: [404, 501],
    },
  },
);
