import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, expect, test } from "vitest";
import { app } from "../../src/app.ts";
import { consume } from "../../src/relay/consume.ts";
import type { RelayMessage } from "../../src/relay/messages.ts";
import { wake } from "../../src/relay/stream/wake.ts";
import { wire } from "../../src/wire.ts";
import { ADMIN, idOf, post, request } from "./api.ts";
import { arrived } from "./arrived.ts";
import { endless } from "./endless.ts";
import { recordingQueue } from "./job-tools.ts";

/** What becomes of a file that MLflow does not take. */

const NOT_SERVED =
  "Endpoint: /api/2.0/mlflow-artifacts/artifacts/<path:artifact_path> disabled due to the mlflow server running with `--no-serve-artifacts`.";
const files = recordingQueue();
const BINDINGS = { TRIALS: recordingQueue().queue, JOBS: recordingQueue().queue, FILES: files.queue };

let trial: string;
let count = 0;
beforeEach(async () => {
  files.sent.splice(0);
  await env.DB.prepare("delete from breakers").run();
  await env.DB.prepare("delete from artifacts").run();
  const trialId = `t${++count}`;
  await post({ event: "ml.trial.start", model_run_id: "files", trial_id: trialId, spectral_norm: false });
  trial = await idOf(trialId);
  await app.request(
    `/api/trials/${trial}/artifacts/a.txt`,
    { method: "PUT", body: "a", headers: { authorization: `Bearer ${ADMIN}`, "content-length": "1" } },
    { ...env, ...BINDINGS },
    createExecutionContext(),
  );
});

/** Its run is in MLflow, with its files at an address. */
const arrive = (root: string) => arrived(trial, { runId: crypto.randomUUID().replaceAll("-", ""), root });

/** The messages that were sent, as the queue delivers them to an MLflow that answers so. */
async function deliver(answer: () => Response | Promise<Response>): Promise<string[]> {
  const asked: string[] = [];
  const fetch = async (url: string, init: RequestInit) => {
    asked.push(`${init.method ?? "GET"} ${new URL(url).pathname}`);
    return answer();
  };
  const deps = endless(wire({ ...env, ...BINDINGS }, {}, fetch));
  const messages = files.sent.splice(0).map(({ body }) => messageOf(body));
  await consume(deps, messages);
  return asked;
}

function messageOf(body: RelayMessage): Message<RelayMessage> {
  const settle = () => undefined;
  return { id: "m", timestamp: new Date(), attempts: 1, body, ack: settle, retry: settle };
}

async function state() {
  const { body } = await request(`/api/trials/${trial}/artifacts`, {
    bindings: { ...BINDINGS, MLFLOW_TRACKING_URI: "http://127.0.0.1:9" },
  });
  return body;
}

test.each([
  "s3://bucket/1/artifacts",
  "file:///mlruns/1",
  "mlruns/1",
  "mlflow-artifacts:/../../mlflow/users",
])("where MLflow keeps files at %s it is asked nothing, and the file says how to mend it", async (root) => {
  await arrive(root);
  expect(await deliver(() => Response.json({}))).toEqual([]);
  expect(await state()).toMatchObject({
    files: [{ state: "blocked", error: expect.stringMatching(`${root}.*--serve-artifacts`) }],
  });
});

test("a server that serves no artifacts blocks the file, and opens no breaker", async () => {
  await arrive("mlflow-artifacts:/1/r/artifacts");
  const asked = await deliver(() => new Response(NOT_SERVED, { status: 503 }));
  expect(asked).toEqual(["PUT /api/2.0/mlflow-artifacts/artifacts/1/r/artifacts/a.txt"]);
  expect(await state()).toMatchObject({
    files: [{ state: "blocked", error: expect.stringContaining("--serve-artifacts") }],
  });
  expect(await env.DB.prepare("select count(*) as n from breakers").first("n")).toBe(0);
});

test("what answers in MLflow's place for a moment holds a file up for a moment", async () => {
  await arrive("mlflow-artifacts:/1/r/artifacts");
  await deliver(() => new Response("<h1>Sign in</h1>", { status: 403 }));
  expect(await state()).toMatchObject({ files: [{ state: "blocked" }] });
  expect(files.sent.map(({ body }) => body)).toMatchObject([{ kind: "artifact" }]);
});

test.each([
  ["a second", "1", 120_000],
  ["a minute and a half", "90", 120_000],
  ["a day", "86400", 120_000],
])("a server that asks for %s is given as much of it as makes sense", async (_, seconds, atMostMs) => {
  await arrive("mlflow-artifacts:/1/r/artifacts");
  const asked = Date.now();
  await deliver(() => new Response("Slow down", { status: 429, headers: { "retry-after": seconds } }));
  const next = await env.DB.prepare("select next_attempt_at as at from artifacts").first<number>("at");
  expect((next ?? 0) - asked).toBeGreaterThanOrEqual(Math.min(Number(seconds) * 1_000, atMostMs));
  expect((next ?? 0) - Date.now()).toBeLessThanOrEqual(atMostMs);
});

test("before its run is in MLflow a file waits, and comes again by itself", async () => {
  expect(await deliver(() => Response.json({}))).toEqual([]);
  expect(await state()).toMatchObject({
    files: [{ state: "waiting", error: "its run is not in MLflow yet" }],
  });
  expect(files.sent).toHaveLength(1);
});

test.each([
  ["a file", () => arrive("mlflow-artifacts:/1/r/artifacts")],
  ["a file whose run is not there either", async () => {}],
])("while the breaker is open %s waits without a message, and is woken", async (_, prepare) => {
  await prepare();
  await env.DB.prepare(
    `insert into breakers (server, state, failures, probe_at, last_error, updated_at)
     values ('http://mlflow.test', 'open', 5, 0, 'no route to host', 0)`,
  ).run();
  expect(await deliver(() => Response.json({}))).toEqual([]);
  expect(files.sent).toEqual([]);
  await wake(endless(wire({ ...env, ...BINDINGS }, {})));
  expect(files.sent.map(({ body }) => body)).toMatchObject([{ kind: "artifact" }]);
});
