import { env } from "cloudflare:workers";
import { createHash } from "node:crypto";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import * as z from "zod";
import { cleanBucket } from "../../src/relay/artifacts/clean.ts";
import { PART_BYTES } from "../../src/relay/artifacts/parts.ts";
import { wire } from "../../src/wire.ts";
import { idOf, post } from "./api.ts";
import { askTrial } from "./ask-trial.ts";
import { recordingQueue } from "./job-tools.ts";

/** Files in parts, through the door. MLflow is away. */

const files = recordingQueue();
const BINDINGS = {
  TRIALS: files.queue,
  JOBS: files.queue,
  FILES: files.queue,
  MLFLOW_TRACKING_URI: "http://127.0.0.1:9",
};
const FIRST = new Uint8Array(PART_BYTES).fill(65);
const LAST = new TextEncoder().encode("the rest");
const SHA256 = createHash("sha256").update(FIRST).update(LAST).digest("hex");
const begun = z.object({ id: z.string() });

let trial: string;
beforeAll(async () => {
  await post({ event: "ml.trial.start", model_run_id: "uploads", trial_id: "t", spectral_norm: false });
  trial = await idOf("t");
});
beforeEach(() => void files.sent.splice(0));

async function ask(
  method: string,
  path: string,
  body?: BodyInit,
  headers: Record<string, string> = {},
  bindings = {},
) {
  const all = { ...BINDINGS, ...bindings };
  const answer = await askTrial(trial, method, path, { body, headers, bindings: all });
  return { status: answer.status, body: await answer.json() };
}

async function begin(path: string): Promise<string> {
  const { status, body } = await ask("POST", "uploads", JSON.stringify({ path }), {
    "content-type": "application/json",
  });
  expect(status).toBe(201);
  return `uploads/${begun.parse(body).id}`;
}

const objects = async () => (await env.ARTIFACTS.list()).objects.length;

test("a file goes on where its connection broke, and is listed once it is whole", async () => {
  const upload = await begin("model/weights.bin");
  expect(await ask("PUT", `${upload}/parts/1`, FIRST)).toMatchObject({ status: 200, body: { number: 1 } });
  const broken = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(LAST.slice(0, 3));
      controller.close();
    },
  });
  expect(
    await ask("PUT", `${upload}/parts/2`, broken, { "content-length": String(LAST.length) }),
  ).toMatchObject({
    status: 400,
  });
  expect(await ask("GET", upload)).toMatchObject({
    body: { part_bytes: PART_BYTES, parts: [{ number: 1, bytes: PART_BYTES }] },
  });
  expect(await ask("GET", "artifacts?path=model")).toMatchObject({ body: { files: [] } });
  await ask("PUT", `${upload}/parts/2`, LAST);
  for (let i = 0; i < 2; i++)
    expect(await ask("POST", `${upload}/complete`, undefined, { "x-checksum-sha256": SHA256 })).toMatchObject(
      {
        status: 200,
        body: {
          path: "model/weights.bin",
          bytes: PART_BYTES + LAST.length,
          sha256: SHA256,
          state: "waiting",
          version: 1,
        },
      },
    );
  expect(files.sent.map(({ body }) => body)).toMatchObject([{ kind: "artifact" }]);
  expect(await ask("GET", "artifacts?path=model")).toMatchObject({ body: { files: [{ sha256: SHA256 }] } });
  expect(await ask("PUT", `${upload}/parts/1`, FIRST)).toMatchObject({ status: 409 });
});

test("where the answer of its completion is lost half-way it is completed all the same", async () => {
  const upload = await begin("half.bin");
  await ask("PUT", `${upload}/parts/1`, LAST);
  // The bucket has put the parts together, and the relay died before it listed the file.
  const row = await env.DB.prepare(
    "select object_key as key, multipart_id as id from uploads where path = 'half.bin'",
  ).first<{
    key: string;
    id: string;
  }>();
  const part = await env.DB.prepare(
    "select p.etag from upload_parts p join uploads u on u.id = p.upload_id where u.path = 'half.bin'",
  ).first<{
    etag: string;
  }>();
  if (!row || !part) throw new Error("no upload");
  await env.ARTIFACTS.resumeMultipartUpload(row.key, row.id).complete([{ partNumber: 1, etag: part.etag }]);
  expect(await ask("POST", `${upload}/complete`)).toMatchObject({
    status: 200,
    body: { bytes: LAST.length },
  });
});

test("two completions at once list one file", async () => {
  const upload = await begin("twice.bin");
  await ask("PUT", `${upload}/parts/1`, LAST);
  const answers = await Promise.all([0, 1].map(() => ask("POST", `${upload}/complete`)));
  expect(answers.some(({ status }) => status === 200)).toBe(true);
  expect(await ask("POST", `${upload}/complete`)).toMatchObject({ status: 200, body: { version: 1 } });
});

describe("what is not whole is not listed", () => {
  test.each([
    ["no part", []],
    ["the first part missing", [[2, LAST]]],
    [
      "a short part before the last",
      [
        [1, LAST],
        [2, LAST],
      ],
    ],
  ] as const)("%s", async (name, parts) => {
    const path = name.replaceAll(" ", "-");
    const upload = await begin(path);
    for (const [number, bytes] of parts) await ask("PUT", `${upload}/parts/${number}`, bytes);
    expect(await ask("POST", `${upload}/complete`)).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining("Part 1") },
    });
    expect((await ask("GET", `artifacts/${path}`)).status).toBe(404);
  });

  test("a part that arrives otherwise than it says is not kept", async () => {
    const upload = await begin("wrong-part.bin");
    const headers = { "content-md5": btoa("0".repeat(16)) };
    expect(await ask("PUT", `${upload}/parts/1`, LAST, headers)).toMatchObject({
      status: 400,
      body: { errors: [{ field: "Content-MD5" }] },
    });
    expect(await ask("GET", upload)).toMatchObject({ body: { parts: [] } });
  });

  test("a whole that is another than it says is dropped", async () => {
    const upload = await begin("wrong.bin");
    await ask("PUT", `${upload}/parts/1`, LAST);
    const before = await objects();
    expect(await ask("POST", `${upload}/complete`, undefined, { "x-checksum-sha256": SHA256 })).toMatchObject(
      {
        status: 400,
      },
    );
    expect([(await ask("GET", upload)).status, await objects()]).toEqual([404, before]);
  });

  test("a file has the name of a directory", async () => {
    const upload = await begin("model");
    await ask("PUT", `${upload}/parts/1`, LAST);
    expect(await ask("POST", `${upload}/complete`)).toMatchObject({ status: 409 });
  });
});

test.each([
  ["0", LAST, 400],
  ["299", LAST, 400],
  ["one", LAST, 400],
  ["1", new Uint8Array(PART_BYTES + 1), 413],
])("part %s is refused", async (number, bytes, status) => {
  const upload = await begin("parts.bin");
  expect((await ask("PUT", `${upload}/parts/${number}`, bytes)).status).toBe(status);
});

test.each(["../up", "a/%2e%2e/b", "a//b", ""])("%j is no file's path", async (path) => {
  const answer = await ask("POST", "uploads", JSON.stringify({ path }), {
    "content-type": "application/json",
  });
  expect(answer).toMatchObject({ status: 400, body: { errors: [{ field: "path" }] } });
});

test("an upload that is left, or dropped, leaves nothing", async () => {
  const dropped = await begin("dropped.bin");
  await ask("PUT", `${dropped}/parts/1`, LAST);
  expect(await ask("DELETE", dropped)).toMatchObject({ status: 200, body: { dropped: true } });
  expect((await ask("GET", dropped)).status).toBe(404);
  const left = await begin("left.bin");
  await ask("PUT", `${left}/parts/1`, LAST);
  const deps = wire({ ...env, TRIALS: files.queue, JOBS: files.queue, FILES: files.queue }, {});
  await cleanBucket({ ...deps, now: () => Date.now() + 23 * 3_600_000 });
  expect((await ask("GET", left)).status).toBe(200);
  await cleanBucket({ ...deps, now: () => Date.now() + 25 * 3_600_000 });
  expect((await ask("GET", left)).status).toBe(404);
  for (const table of ["uploads", "upload_parts", "loose_objects"])
    expect([table, await env.DB.prepare(`select count(*) as n from ${table}`).first("n")]).toEqual([
      table,
      0,
    ]);
});

test("without a bucket there are no uploads, and nobody has another trial's", async () => {
  const json = { "content-type": "application/json" };
  const unbound = await ask("POST", "uploads", JSON.stringify({ path: "a" }), json, { ARTIFACTS: undefined });
  expect(unbound.status).toBe(501);
  await post({ event: "ml.trial.start", model_run_id: "uploads", trial_id: "other", spectral_norm: false });
  const upload = await begin("mine.bin");
  const mine = trial;
  trial = await idOf("other");
  expect((await ask("GET", upload)).status).toBe(404);
  trial = mine;
});
