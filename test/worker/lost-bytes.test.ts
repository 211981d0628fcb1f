import { env } from "cloudflare:workers";
import { createHash } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import * as z from "zod";
import { cleanBucket } from "../../src/relay/artifacts/clean.ts";
import { PART_BYTES } from "../../src/relay/artifacts/parts.ts";
import { consume } from "../../src/relay/consume.ts";
import { startAnew } from "../../src/store/delivery/blocked.ts";
import { wire } from "../../src/wire.ts";
import { idOf, post } from "./api.ts";
import { arrived } from "./arrived.ts";
import { askTrial, type Sent } from "./ask-trial.ts";
import { endless } from "./endless.ts";
import { FakeArtifacts } from "./fake-artifacts.ts";
import { messageOf } from "./invocations.ts";
import { recordingQueue } from "./job-tools.ts";
import { losing } from "./losing.ts";

/** Bytes that are listed are there, or can be sent again, whatever is lost between the database and the bucket. */

const files = recordingQueue();
const BINDINGS = { TRIALS: recordingQueue().queue, JOBS: recordingQueue().queue, FILES: files.queue };
const TEXT = "the first";
const AN_HOUR = 3_600_001;

let trial: string;
let mlflow: FakeArtifacts;
let count = 0;
beforeEach(async () => {
  files.sent.splice(0);
  const trialId = `t${++count}`;
  await post({ event: "ml.trial.start", model_run_id: "lost", trial_id: trialId, spectral_norm: false });
  trial = await idOf(trialId);
  mlflow = new FakeArtifacts();
  await arrived(trial, { runId: mlflow.runId, root: mlflow.uri });
});

async function ask(
  method: string,
  path: string,
  body?: string | Uint8Array<ArrayBuffer>,
  { headers, bindings }: Omit<Sent, "body"> = {},
) {
  const restore = mlflow.standIn();
  try {
    const all = { ...BINDINGS, ...bindings };
    const answer = await askTrial(trial, method, path, { body, headers, bindings: all });
    return { status: answer.status, text: await answer.text() };
  } finally {
    restore();
  }
}

async function begin(path: string): Promise<string> {
  const { text } = await ask("POST", "uploads", JSON.stringify({ path }), {
    headers: { "content-type": "application/json" },
  });
  return `uploads/${z.object({ id: z.string() }).parse(JSON.parse(text)).id}`;
}

const later = (ms: number) => ({
  ...wire({ ...env, ...BINDINGS }, {}, mlflow.fetch),
  now: () => Date.now() + ms,
});

async function deliver(): Promise<void> {
  await env.DB.prepare("update artifacts set lease_until = 0").run();
  const deps = endless(wire({ ...env, ...BINDINGS }, {}, mlflow.fetch));
  const messages = files.sent.splice(0).map(({ body }, n) => messageOf(body, n));
  await consume(deps, messages);
}

test("an upload that was completed, though the answer of that was lost, is not dropped with its file's bytes", async () => {
  await ask("PUT", "artifacts/a.bin", TEXT);
  const upload = await begin("a.bin");
  await ask("PUT", `${upload}/parts/1`, "the second");
  const { db, losses } = losing({ isLost: () => true, when: "before", among: /update uploads set done/ });
  expect((await ask("POST", `${upload}/complete`, undefined, { bindings: { DB: db } })).status).toBe(503);
  expect(losses()).toBeGreaterThan(0);
  await ask("DELETE", upload);
  expect(await ask("GET", "artifacts/a.bin")).toEqual({ status: 200, text: "the second" });
});

test("the same, where it is asked for again with a checksum that is none of it", async () => {
  const upload = await begin("b.bin");
  await ask("PUT", `${upload}/parts/1`, "the second");
  const { db } = losing({ isLost: () => true, when: "before", among: /update uploads set done/ });
  await ask("POST", `${upload}/complete`, undefined, { bindings: { DB: db } });
  const headers = { "x-checksum-sha256": createHash("sha256").update("another").digest("hex") };
  expect((await ask("POST", `${upload}/complete`, undefined, { headers })).status).toBe(400);
  expect(await ask("GET", "artifacts/b.bin")).toEqual({ status: 200, text: "the second" });
});

test("a file whose bytes the bucket has lost is there again once it is sent again", async () => {
  await ask("PUT", "artifacts/a.bin", TEXT);
  const { objects } = await env.ARTIFACTS.list();
  await env.ARTIFACTS.delete(objects.map(({ key }) => key));
  await deliver();
  expect((await ask("GET", "artifacts")).text).toContain("the bucket does not have its bytes");
  await ask("PUT", "artifacts/a.bin", TEXT);
  expect(await ask("GET", "artifacts/a.bin")).toEqual({ status: 200, text: TEXT });
  await deliver();
  expect(mlflow.texts()).toEqual({ "a.bin": TEXT });
  await cleanBucket(later(AN_HOUR));
  expect(await ask("GET", "artifacts/a.bin")).toEqual({ status: 200, text: TEXT });
});

test("a file that only the run before has is not said to be in the one that is made in its place", async () => {
  await ask("PUT", "artifacts/a.bin", TEXT);
  await deliver();
  await cleanBucket({
    ...later(1),
    config: { ...later(1).config, artifacts: { maxBytes: 1, retentionMs: 0 } },
  });
  const id = await env.DB.prepare("update streams set lease_token = 'held' where key = ?1 returning id")
    .bind(trial)
    .first<number>("id");
  expect(await startAnew(env.DB, { streamId: id ?? 0, token: "held", ms: 0 })).toBe(true);
  mlflow = new FakeArtifacts();
  await arrived(trial, { runId: "0b".repeat(16), root: mlflow.uri });
  const row = await env.DB.prepare("select id from artifacts where stream_id = ?1")
    .bind(id)
    .first<number>("id");
  files.sent.splice(0, files.sent.length, { body: { kind: "artifact", id: row ?? 0 } });
  await deliver();
  expect(JSON.parse((await ask("GET", "artifacts")).text)).toMatchObject({
    files: [{ state: "blocked", error: expect.stringContaining("does not have its bytes") }],
  });
  await ask("PUT", "artifacts/a.bin", TEXT);
  await deliver();
  expect(mlflow.texts()).toEqual({ "a.bin": TEXT });
});

describe("a part that is sent once more", () => {
  test("and is refused for its checksum is no longer among those that are kept", async () => {
    const upload = await begin("a.bin");
    await ask("PUT", `${upload}/parts/1`, TEXT);
    const headers = { "content-md5": btoa("0".repeat(16)) };
    expect((await ask("PUT", `${upload}/parts/1`, "another", { headers })).status).toBe(400);
    expect(JSON.parse((await ask("GET", upload)).text)).toMatchObject({ parts: [] });
    expect((await ask("POST", `${upload}/complete`)).status).toBe(409);
    await ask("PUT", `${upload}/parts/1`, TEXT);
    expect((await ask("POST", `${upload}/complete`)).status).toBe(200);
  });

  test("while it is still on its way the first time can be sent again", async () => {
    const upload = await begin("b.bin");
    const first = new Uint8Array(PART_BYTES).fill(65);
    const answers = await Promise.all([0, 1, 2].map(() => ask("PUT", `${upload}/parts/1`, first)));
    for (const { status } of answers) expect([200, 503]).toContain(status);
    if ((await ask("POST", `${upload}/complete`)).status !== 200) {
      await ask("PUT", `${upload}/parts/1`, first);
      expect((await ask("POST", `${upload}/complete`)).status).toBe(200);
    }
  });
});

describe("while the bucket does not answer", () => {
  const away = () =>
    Promise.reject(new Error("get: We encountered an internal error. Please try again. (10001)"));
  const bucket = new Proxy(env.ARTIFACTS, {
    get: () => away,
  });

  test.each([
    ["a file is read", "GET", "artifacts/a.bin", undefined, "does not answer just now"],
    ["an upload is begun", "POST", "uploads", JSON.stringify({ path: "b.bin" }), "could not be kept"],
  ])("%s: it is said to come again", async (_, method, path, body, said) => {
    await ask("PUT", "artifacts/a.bin", TEXT);
    const headers = { "content-type": "application/json" };
    const answer = await ask(method, path, body, { headers, bindings: { ARTIFACTS: bucket } });
    expect(answer).toMatchObject({ status: 503, text: expect.stringContaining(said) });
  });

  test("an upload is dropped, and the cron deletes what is left of it", async () => {
    const upload = await begin("c.bin");
    await ask("PUT", `${upload}/parts/1`, TEXT);
    const half = { resumeMultipartUpload: () => ({ abort: away }), delete: away };
    const answer = await ask("DELETE", upload, undefined, { bindings: { ARTIFACTS: half } });
    expect(answer.status).toBe(200);
    expect((await ask("GET", upload)).status).toBe(404);
    expect(await cleanBucket(later(1))).toBeGreaterThan(0);
    expect(await cleanBucket(later(1))).toBe(0);
  });
});
