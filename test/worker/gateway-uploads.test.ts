import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { app } from "../../src/app.ts";
import { ADMIN } from "./api.ts";
import { newRun } from "./gateway-api.ts";
import { recordingQueue } from "./job-tools.ts";

/** Files in parts as MLflow's clients send large ones, while MLflow is away. */

const MPU = "/api/2.0/mlflow-artifacts/mpu";
const STORE = "/api/2.0/mlflow-artifacts/artifacts";
const files = recordingQueue();
const BINDINGS = {
  MLFLOW_TRACKING_URI: "http://127.0.0.1:9",
  TRIALS: files.queue,
  JOBS: files.queue,
  FILES: files.queue,
};
const PART = new Uint8Array(5 * 1024 * 1024).fill(65);
const LAST = Uint8Array.from(new TextEncoder().encode("the rest"));
const UNSUPPORTED = {
  error_code: "NOT_IMPLEMENTED",
  message: "Multipart upload is not supported for the current artifact repository",
};
const created = z.object({
  upload_id: z.string(),
  credentials: z.array(
    z.object({ url: z.string(), part_number: z.number(), headers: z.record(z.string(), z.string()) }),
  ),
});

let root: string;
beforeAll(async () => {
  root = `0/${await newRun()}/artifacts`;
});

async function ask(url: string, init: RequestInit, bindings: object = {}) {
  const answer = await app.request(url, init, { ...env, ...BINDINGS, ...bindings }, createExecutionContext());
  const text = await answer.text();
  const isJson = answer.headers.get("content-type") === "application/json";
  return { status: answer.status, headers: answer.headers, body: isJson ? JSON.parse(text) : text };
}

const authorization = `Basic ${btoa(`anybody:${ADMIN}`)}`;
const post = (path: string, body: object, bindings: object = {}) =>
  ask(
    `http://relay.test${MPU}/${path}`,
    {
      method: "POST",
      headers: { authorization, "content-type": "application/json" },
      body: JSON.stringify(body),
    },
    bindings,
  );
const get = (path: string) => ask(`${STORE}/${root}/${path}`, { headers: { authorization } });

async function begin(directory: string, path: string, num_parts: number) {
  const { status, body } = await post(`create/${root}${directory}`, { path, num_parts });
  expect(status).toBe(200);
  return created.parse(body);
}
type Begun = z.output<typeof created>;

/** As a client does: no token goes along. */
async function send(
  { credentials }: Begun,
  number: number,
  bytes: Uint8Array<ArrayBuffer>,
  bindings: object = {},
) {
  const { url = "", headers = {} } = credentials[number - 1] ?? {};
  const init = {
    method: "PUT",
    body: bytes,
    headers: { ...headers, "content-length": String(bytes.length) },
  };
  const { status, headers: answered, body } = await ask(url, init, bindings);
  return { status, body, part: { part_number: number, etag: answered.get("etag") ?? "", url } };
}

test("a file in parts is listed once it is whole, and its completion may be asked for again", async () => {
  const upload = await begin("/model", "/home/ann/weights (ü).bin", 3);
  expect(upload.credentials.map(({ part_number }) => part_number)).toEqual([1, 2, 3]);
  const parts = [];
  for (const [number, bytes] of [
    [2, PART],
    [3, LAST],
    [1, PART],
    [2, PART],
  ] as const) {
    const sent = await send(upload, number, bytes);
    expect(sent.status).toBe(200);
    parts[number - 1] = sent.part;
  }
  expect((await get("model/weights (ü).bin")).status).toBe(404);
  const whole = { path: "/home/ann/weights (ü).bin", upload_id: upload.upload_id, parts };
  for (let n = 0; n < 2; n++)
    expect(await post(`complete/${root}/model`, whole)).toMatchObject({ status: 200, body: {} });
  const { status, body } = await get("model/weights (ü).bin");
  expect({ status, bytes: body.length, end: body.slice(-LAST.length - 1) }).toEqual({
    status: 200,
    bytes: 2 * PART.length + LAST.length,
    end: "Athe rest",
  });
  expect((await send(upload, 1, PART)).status).toBe(409);
});

test("a path of Windows is a file's by its last name", async () => {
  const upload = await begin("", "C:\\runs\\one\\notes.txt", 1);
  const { part } = await send(upload, 1, LAST);
  const whole = { path: "C:\\runs\\one\\notes.txt", upload_id: upload.upload_id, parts: [part] };
  expect((await post(`complete/${root}`, whole)).status).toBe(200);
  expect(await get("notes.txt")).toMatchObject({ status: 200, body: "the rest" });
});

test("what is given up is gone, and may be given up again", async () => {
  const upload = await begin("", "/gone.bin", 2);
  await send(upload, 1, PART);
  const asked = { path: "/gone.bin", upload_id: upload.upload_id };
  for (let n = 0; n < 2; n++) expect((await post(`abort/${root}`, asked)).status).toBe(200);
  expect((await send(upload, 2, LAST)).status).toBe(404);
  expect((await post(`complete/${root}`, { ...asked, parts: [] })).status).toBe(404);
});

describe("refused:", () => {
  test("a part without the upload's own signature", async () => {
    const [one, other] = [await begin("", "/a", 1), await begin("", "/b", 1)];
    const url = one.credentials[0]?.url ?? "";
    for (const headers of [{}, { "x-relay-upload": "00" }, other.credentials[0]?.headers ?? {}]) {
      const init = { method: "PUT", body: LAST, headers: { ...headers, "content-length": "8" } };
      expect((await ask(url, init)).body).toMatchObject({ error_code: "PERMISSION_DENIED" });
    }
  });

  test("a list of parts that is not what was sent", async () => {
    const upload = await begin("", "/odd.bin", 3);
    const [first, second] = [
      (await send(upload, 1, PART)).part,
      (await send(upload, 2, LAST)).part,
      (await send(upload, 3, LAST)).part,
    ];
    const complete = (parts: object[]) =>
      post(`complete/${root}`, { path: "/odd.bin", upload_id: upload.upload_id, parts });
    expect((await complete([first, second])).body).toMatchObject({ error_code: "INVALID_PARAMETER_VALUE" });
    const third = (await send(upload, 3, LAST)).part;
    expect((await complete([first, second, { ...third, etag: '"x"' }])).body.message).toContain("part 3");
    expect(await complete([first, second, third])).toMatchObject({
      status: 409,
      body: { message: expect.stringContaining("Part 2 ") },
    });
    expect((await get("odd.bin")).status).toBe(404);
  });

  test("parts that are smaller than the bucket takes", async () => {
    const upload = await begin("", "/small.bin", 2);
    const parts = [(await send(upload, 1, LAST)).part, (await send(upload, 2, LAST)).part];
    const asked = { path: "/small.bin", upload_id: upload.upload_id, parts };
    expect((await post(`complete/${root}`, asked)).body.message).toContain("at least 5242880 bytes, got 8");
  });

  test("a part that is larger than a request may be", async () => {
    const upload = await begin("", "/large.bin", 1);
    expect((await send(upload, 1, PART, { RELAY_MAX_ARTIFACT_MB: "1" })).status).toBe(413);
  });

  test.each([0, 1_001, -1, "many", null])("%j parts", async (num_parts) => {
    expect(await post(`create/${root}`, { path: "/x", num_parts })).toMatchObject({
      status: 400,
      body: { error_code: "INVALID_PARAMETER_VALUE", message: expect.stringContaining("num_parts") },
    });
  });

  test.each(["/x/..", "/", "", "a\u0000"])("the path %j", async (path) => {
    expect((await post(`create/${root}`, { path, num_parts: 1 })).status).toBe(400);
  });

  test("another run's upload", async () => {
    const upload = await begin("", "/mine", 1);
    const elsewhere = `complete/0/${await newRun()}/artifacts`;
    const { part } = await send(upload, 1, LAST);
    const asked = { path: "/mine", upload_id: upload.upload_id, parts: [part] };
    expect((await post(elsewhere, asked)).status).toBe(404);
  });
});

test("a client sends a file whole, in words that it knows, where the relay keeps none of its kind", async () => {
  const nobody = `create/0/${"f".repeat(32)}/artifacts`;
  const asked = { path: "/x", num_parts: 1 };
  expect(await post(nobody, asked)).toMatchObject({ status: 501, body: UNSUPPORTED });
  expect(await post("create/somewhere", asked)).toMatchObject({ status: 501, body: UNSUPPORTED });
  const noBucket = { ARTIFACTS: undefined };
  expect(await post(`create/${root}`, asked, noBucket)).toMatchObject({ status: 501, body: UNSUPPORTED });
  const info = async (bindings: object) =>
    (await ask("/api/3.0/mlflow/server-info", { headers: { authorization } }, bindings)).body
      .multipart_uploads_enabled;
  expect([await info({}), await info(noBucket)]).toEqual([true, false]);
});
