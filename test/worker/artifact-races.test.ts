import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, test } from "vitest";
import { app } from "../../src/app.ts";
import { consume } from "../../src/relay/consume.ts";
import { wire } from "../../src/wire.ts";
import { ADMIN, idOf, post } from "./api.ts";
import { arrived } from "./arrived.ts";
import { endless } from "./endless.ts";
import { FakeArtifacts } from "./fake-artifacts.ts";
import { recordingQueue } from "./job-tools.ts";

/** What happens to a file while it is on its way to MLflow, and what else MLflow has beside it. */

const files = recordingQueue();
const BINDINGS = { TRIALS: recordingQueue().queue, JOBS: recordingQueue().queue, FILES: files.queue };
const LARGE = "x".repeat(1_100_000);

let trial: string;
let mlflow: FakeArtifacts;
let count = 0;
beforeEach(async () => {
  files.sent.splice(0);
  await env.DB.prepare("delete from artifacts").run();
  const trialId = `t${++count}`;
  await post({ event: "ml.trial.start", model_run_id: "races", trial_id: trialId, spectral_norm: false });
  trial = await idOf(trialId);
  mlflow = new FakeArtifacts();
  await arrived(trial, { runId: mlflow.runId, root: mlflow.uri });
});

async function ask(
  method: string,
  path: string,
  body?: string,
  { bindings = {}, ...sent }: { bindings?: object; headers?: Record<string, string> } = {},
) {
  const headers = new Headers({ ...sent.headers, authorization: `Bearer ${ADMIN}` });
  if (body !== undefined) headers.set("content-length", String(body.length));
  const restore = mlflow.standIn();
  try {
    const answer = await app.request(
      `/api/trials/${trial}/artifacts${path}`,
      { method, headers, ...(body === undefined ? {} : { body }) },
      { ...env, ...BINDINGS, ...bindings },
      createExecutionContext(),
    );
    return { status: answer.status, body: await answer.json() };
  } finally {
    restore();
  }
}

/** Delivers messages until there are none, or so often, as if no time passed in between. */
async function settle(turns = 20): Promise<void> {
  for (let turn = 0; files.sent.length > 0 && turn < turns; turn++) {
    if (turn === 19) throw new Error("files are sent round and round");
    await env.DB.prepare("update artifacts set next_attempt_at = 0, lease_until = 0").run();
    const deps = endless(wire({ ...env, ...BINDINGS }, {}, mlflow.fetch));
    const done = () => undefined;
    await consume(
      deps,
      files.sent
        .splice(0)
        .map(({ body }) => ({ id: "m", timestamp: new Date(), attempts: 1, body, ack: done, retry: done })),
    );
  }
}

test("many files of one directory cost a call to send and one to see each, and no listing", async () => {
  for (let i = 0; i < 5; i++) await ask("PUT", `/dir/${i}`, `file ${i}`);
  await settle();
  expect(mlflow.calls.toSorted()).toEqual([
    ...Array.from({ length: 5 }, () => "GET get-artifact"),
    ...Array.from({ length: 5 }, () => "PUT"),
  ]);
  expect(mlflow.texts()).toEqual(Object.fromEntries([0, 1, 2, 3, 4].map((i) => [`dir/${i}`, `file ${i}`])));
});

test("a large one is looked up in its directory and not read back", async () => {
  await ask("PUT", "/large", LARGE);
  await settle();
  expect(mlflow.calls).toEqual(["PUT", "GET artifacts/list"]);
  expect(await ask("GET", "")).toMatchObject({ body: { files: [{ state: "delivered" }] } });
});

test.each([["small"], [LARGE]])("what MLflow has otherwise than it was sent is sent again", async (text) => {
  mlflow.during = async (call) => {
    if (call !== "PUT") return;
    mlflow.during = async () => undefined;
    return "cut";
  };
  await ask("PUT", "/a", text);
  await settle();
  expect(mlflow.texts()).toEqual({ a: text });
  expect(mlflow.calls.filter((call) => call === "PUT")).toHaveLength(2);
});

test("a large one that MLflow has all the same, though its answer was lost, is read back and not sent again", async () => {
  mlflow.once("PUT", async () => "lost");
  await ask("PUT", "/a", LARGE);
  await settle();
  expect(mlflow.calls).toEqual(["PUT", "GET artifacts/list", "GET get-artifact"]);
  expect(await ask("GET", "")).toMatchObject({ body: { files: [{ state: "delivered" }] } });
});

test("one that has its size is not taken for it", async () => {
  await ask("PUT", "/a", LARGE.replaceAll("x", "y"));
  await settle();
  mlflow.isAway = true;
  await ask("PUT", "/a", LARGE);
  mlflow.calls.splice(0);
  const [message] = files.sent;
  await settle(1);
  mlflow.isAway = false;
  if (message) files.sent.push(message);
  await settle();
  expect(mlflow.calls).toEqual(["GET artifacts/list", "GET get-artifact", "PUT", "GET artifacts/list"]);
  expect(mlflow.texts()).toEqual({ a: LARGE });
});

test.each(["PUT", "GET get-artifact"])("a file overwritten during %s arrives as it is now", async (at) => {
  mlflow.once(at, () => ask("PUT", "/a", "second"));
  await ask("PUT", "/a", "first");
  await settle();
  expect(mlflow.texts()).toEqual({ a: "second" });
  expect(await ask("GET", "")).toMatchObject({ body: { files: [{ version: 2, state: "delivered" }] } });
});

test.each(["PUT", "GET get-artifact"])("a file removed during %s is removed", async (at) => {
  mlflow.once(at, () => ask("DELETE", "/a"));
  await ask("PUT", "/a", "first");
  await settle();
  expect(mlflow.texts()).toEqual({});
  expect(await ask("GET", "")).toMatchObject({ body: { files: [] } });
});

test("a file removed and sent again during its removal is there", async () => {
  await ask("PUT", "/a", "first");
  await settle();
  mlflow.once("DELETE", () => ask("PUT", "/a", "second"));
  await ask("DELETE", "/a");
  await settle();
  expect(mlflow.texts()).toEqual({ a: "second" });
});

test("a run that is gone for good during its file's hand-over blocks the file with the reason", async () => {
  mlflow.once("PUT", async () => {
    mlflow.isGone = true;
  });
  await ask("PUT", "/a", "first");
  await settle();
  expect(await ask("GET", "")).toMatchObject({
    body: { files: [{ state: "blocked", error: expect.stringContaining("gone") }] },
  });
});

test("the files of a run that is deleted in MLflow wait until it is restored", async () => {
  const stage = (stage: string) =>
    env.DB.prepare("update mlflow_runs set lifecycle_stage = ?2 where mlflow_run_id = ?1")
      .bind(mlflow.runId, stage)
      .run();
  await stage("deleted");
  await ask("PUT", "/a", "first");
  const [message] = files.sent;
  await settle();
  expect(mlflow.calls).toEqual([]);
  expect(await ask("GET", "")).toMatchObject({
    body: { files: [{ state: "blocked", error: expect.stringContaining("restore") }] },
  });
  await stage("active");
  if (message) files.sent.push(message);
  await settle();
  expect(mlflow.texts()).toEqual({ a: "first" });
});

test("a directory is removed with what only MLflow has in it, and the answer counts that", async () => {
  await ask("PUT", "/dir/ours", "ours");
  await settle();
  for (const path of ["dir/theirs", "dir/deep/er/theirs", "beside", "dirt"]) mlflow.write(path, "theirs");
  expect(await ask("DELETE", "/dir")).toEqual({ status: 200, body: { removed: 3, complete: true } });
  expect(await ask("GET", "?path=dir")).toMatchObject({ body: { files: [{ path: "dir/deep" }] } });
  expect(await ask("GET", "?path=dir/deep/er")).toMatchObject({ body: { files: [] } });
  await settle();
  expect(Object.keys(mlflow.texts())).toEqual(["beside", "dirt"]);
  expect(await ask("DELETE", "/dir")).toMatchObject({ status: 404 });
  expect(await ask("DELETE", "/beside")).toEqual({ status: 200, body: { removed: 1, complete: true } });
});

test("while MLflow is away what it alone has stays, and the answer says so", async () => {
  await ask("PUT", "/dir/ours", "ours");
  mlflow.isAway = true;
  expect(await ask("DELETE", "/dir")).toEqual({ status: 200, body: { removed: 1, complete: false } });
  expect(await ask("DELETE", "/dir")).toMatchObject({ status: 503 });
});

describe("where no bucket is bound", () => {
  const bindings = { ARTIFACTS: undefined };

  test("a file goes straight to MLflow, and says what it is", async () => {
    expect(await ask("PUT", "/dir/a.csv", "a,b", { bindings })).toMatchObject({
      status: 200,
      body: {
        path: "dir/a.csv",
        bytes: 3,
        content_type: expect.stringMatching(/^text\/plain/),
        state: "mlflow",
        version: null,
      },
    });
    expect(mlflow.texts()).toEqual({ "dir/a.csv": "a,b" });
  });

  test("one that arrives otherwise than it says does not stay there", async () => {
    const headers = { "x-checksum-sha256": "0".repeat(64) };
    expect(await ask("PUT", "/a", "a", { bindings, headers })).toMatchObject({
      status: 400,
      body: { errors: [{ field: "X-Checksum-SHA256" }] },
    });
    expect(mlflow.texts()).toEqual({});
  });

  test("while MLflow is away it is refused at once, with what to do", async () => {
    mlflow.isAway = true;
    expect(await ask("PUT", "/a", "a", { bindings })).toMatchObject({
      status: 501,
      body: { detail: expect.stringMatching(/no bucket.*bind one/) },
    });
  });
});
