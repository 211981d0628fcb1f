import { env } from "cloudflare:workers";
import { createHash } from "node:crypto";
import { beforeAll, expect, test, vi } from "vitest";
import * as z from "zod";
import { PART_BYTES } from "../../src/relay/artifacts/parts.ts";
import { PIECE_BYTES } from "../../src/relay/artifacts/pieces.ts";
import { consume } from "../../src/relay/consume.ts";
import { wire } from "../../src/wire.ts";
import { idOf, post } from "./api.ts";
import { arrived } from "./arrived.ts";
import { askTrial } from "./ask-trial.ts";
import { endless } from "./endless.ts";
import { FakeArtifacts } from "./fake-artifacts.ts";
import { messageOf } from "./invocations.ts";
import { recordingQueue } from "./job-tools.ts";

/** A file that no Worker's memory should hold: whoever reads it from the bucket asks for some of it at a time. */

/** What was asked of the bucket in one answer, bytes. */
const asked: number[] = [];
const bucket = new Proxy(env.ARTIFACTS, {
  get(target, name) {
    if (name === "get")
      return (key: string, options: { range?: { length: number } } = {}) => {
        asked.push(options.range?.length ?? Number.POSITIVE_INFINITY);
        return target.get(key, options);
      };
    const member: unknown = Reflect.get(target, name);
    return typeof member === "function" ? member.bind(target) : member;
  },
});
const files = recordingQueue();
const BINDINGS = {
  TRIALS: recordingQueue().queue,
  JOBS: recordingQueue().queue,
  FILES: files.queue,
  ARTIFACTS: bucket,
};

/** Each part of its own letter: what comes in another order is seen. */
const PARTS = ["a", "b", "c"].map((letter, i) =>
  new Uint8Array(i < 2 ? PART_BYTES : 1_000).fill(letter.charCodeAt(0)),
);
const BYTES = 2 * PART_BYTES + 1_000;
const sha256Of = (parts: readonly (Uint8Array | string)[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest("hex");
const SHA256 = sha256Of(PARTS);

/** For what hangs; a busy machine is no failure. */
const LIMIT_MS = 180_000;

const mlflow = new FakeArtifacts();
let trial: string;

const ask = (method: string, path: string, body?: Uint8Array<ArrayBuffer> | string, headers = {}) =>
  askTrial(trial, method, path, { body, headers, bindings: BINDINGS });

beforeAll(async () => {
  await post({ event: "ml.trial.start", model_run_id: "large", trial_id: "t", spectral_norm: false });
  trial = await idOf("t");
  await arrived(trial, { runId: mlflow.runId, root: mlflow.uri });
  const begun = await ask("POST", "uploads", JSON.stringify({ path: "large" }), {
    "content-type": "application/json",
  });
  const { id } = z.object({ id: z.string() }).parse(await begun.json());
  for (const [i, part] of PARTS.entries())
    await (await ask("PUT", `uploads/${id}/parts/${i + 1}`, part)).text();
  const kept = await ask("POST", `uploads/${id}/complete`, undefined, { "x-checksum-sha256": SHA256 });
  expect(await kept.json()).toMatchObject({ bytes: BYTES, sha256: SHA256 });
}, LIMIT_MS);

const PIECES = Array.from({ length: Math.ceil(BYTES / PIECE_BYTES) }, (_, i) =>
  Math.min(PIECE_BYTES, BYTES - i * PIECE_BYTES),
);

test("it is digested, given out and handed over in pieces, and comes out as it went in", async () => {
  expect(asked.splice(0)).toEqual(PIECES);

  const whole = await ask("GET", "artifacts/large");
  expect(sha256Of([new Uint8Array(await whole.arrayBuffer())])).toBe(SHA256);
  expect(whole.headers.get("content-length")).toBe(String(BYTES));
  expect(asked.splice(0)).toEqual(PIECES);

  const range = `bytes=10-${2 * PIECE_BYTES + 9}`;
  const some = await ask("GET", "artifacts/large", undefined, { range });
  expect([some.status, sha256Of([new Uint8Array(await some.arrayBuffer())])]).toEqual([
    206,
    sha256Of([wholeText().slice(10, 2 * PIECE_BYTES + 10)]),
  ]);
  expect(asked.splice(0)).toEqual(PIECES.slice(0, 2));

  await handOver();
  expect(sha256Of([mlflow.texts().large ?? ""])).toBe(SHA256);
  expect(asked.splice(0)).toEqual(PIECES);
});

test("whoever stops reading half-way has the bucket asked no more", async () => {
  const { body } = await ask("GET", "artifacts/large");
  const reader = body?.getReader();
  await reader?.read();
  await reader?.cancel();
  await scheduler.wait(200);
  expect(asked.splice(0)).toEqual([PIECE_BYTES]);
});

test("however large a file is, it is on its way no longer than an invocation lasts", async () => {
  const timeouts = vi.spyOn(AbortSignal, "timeout");
  await env.DB.prepare("update artifacts set bytes = 5000000000, version = version + 1").run();
  const { id } = z.object({ id: z.int() }).parse(await env.DB.prepare("select id from artifacts").first());
  files.sent.push({ body: { kind: "artifact", id } });
  await handOver();
  const most = Math.max(...timeouts.mock.calls.map(([ms]) => ms));
  timeouts.mockRestore();
  expect(most).toBeGreaterThan(600_000);
  expect(most).toBeLessThan(900_000);
});

const wholeText = () => PARTS.map((part) => new TextDecoder().decode(part)).join("");

/** As the queue has it done. */
async function handOver(): Promise<void> {
  const deps = endless(wire({ ...env, ...BINDINGS }, {}, mlflow.fetch));
  const messages = files.sent.splice(0).map(({ body }, n) => messageOf(body, n));
  await consume(deps, messages);
}
