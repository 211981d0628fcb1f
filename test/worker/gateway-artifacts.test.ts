import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { app } from "../../src/app.ts";
import { encodedPath } from "../../src/domain/artifact-path.ts";
import { ADMIN, sent } from "./api.ts";
import { newRun, read } from "./gateway-api.ts";
import { recordingQueue } from "./job-tools.ts";

/** Files as MLflow's clients send and ask for them, while MLflow is away. */

const STORE = "/api/2.0/mlflow-artifacts/artifacts";
const BINDINGS = {
  MLFLOW_TRACKING_URI: "http://127.0.0.1:9",
  TRIALS: recordingQueue().queue,
  JOBS: recordingQueue().queue,
  FILES: recordingQueue().queue,
};

let run: string;
let root: string;
beforeAll(async () => {
  run = await newRun();
  root = `0/${run}/artifacts`;
});
beforeEach(() => sent.jobs.splice(0));

async function ask(method: string, path: string, body?: string, bindings: object = {}) {
  const response = await app.request(
    path,
    {
      method,
      ...(body === undefined ? {} : { body: new TextEncoder().encode(body) }),
      headers: {
        authorization: `Basic ${btoa(`anybody:${ADMIN}`)}`,
        ...(body === undefined ? {} : { "content-length": String(new TextEncoder().encode(body).length) }),
      },
    },
    { ...env, ...BINDINGS, ...bindings },
    createExecutionContext(),
  );
  const text = await response.text();
  const isJson = response.headers.get("content-type") === "application/json";
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}

const put = (path: string, body: string) => ask("PUT", `${STORE}/${root}/${path}`, body);
const get = (path: string) => ask("GET", `${STORE}/${root}/${path}`);
const list = (path: string) => ask("GET", `${STORE}?${new URLSearchParams({ path })}`);

test("a file is taken, listed in both ways, and given back, as MLflow does it", async () => {
  expect(await put("model/MLmodel", "flavors")).toMatchObject({ status: 200, body: {} });
  expect(await put("empty", "")).toMatchObject({ status: 200, body: {} });
  expect(await get("model/MLmodel")).toMatchObject({ status: 200, body: "flavors" });
  const { body } = await list(root);
  expect(body).toEqual({
    files: [
      { path: "empty", is_dir: false },
      { path: "model", is_dir: true },
    ],
  });
  expect((await list(`${root}/model`)).body).toEqual({
    files: [{ path: "MLmodel", is_dir: false, file_size: 7 }],
  });
  // By this clients tell a file from a directory.
  expect((await list(`${root}/model/MLmodel`)).body).toEqual({});
  expect((await list(`${root}/nowhere`)).body).toEqual({});
  const root_uri = `mlflow-artifacts:/${root}`;
  expect((await read("artifacts/list", { run_id: run, path: "model" })).body).toEqual({
    root_uri,
    files: [{ path: "model/MLmodel", is_dir: false, file_size: 7 }],
  });
  expect((await read("artifacts/list", { run_id: run, path: "model/MLmodel" })).body).toEqual({ root_uri });
});

test("what is removed, or was never there, is not there", async () => {
  await put("gone/a", "a");
  expect(await ask("DELETE", `${STORE}/${root}/gone`)).toMatchObject({ status: 200, body: {} });
  expect(await ask("DELETE", `${STORE}/${root}/gone`)).toMatchObject({ status: 200, body: {} });
  for (const path of ["gone/a", "never"])
    expect(await get(path)).toMatchObject({
      status: 404,
      body: { error_code: "RESOURCE_DOES_NOT_EXIST", message: `No such artifact: '${path}'` },
    });
});

test.each([
  ["image%step%0%timestamp%1795764797601%t4796b30.png", "image%step%0%timestamp%1795764797601%t4796b30.png"],
  ["image%step%25%timestamp%1795764797601%t4796b30.png", "image%step%%timestamp%1795764797601%t4796b30.png"],
  ["image%step%20%timestamp%1795764797601%t4796b30.png", "image%step %timestamp%1795764797601%t4796b30.png"],
  ["a%2fb%2520c", "a/b c"],
  ["ends?", "ends"],
])("the file %s has the name that MLflow gives it", async (name, kept) => {
  const own = await newRun();
  const path = `${STORE}/0/${own}/artifacts/${encodeURIComponent(name)}`;
  expect(await ask("PUT", path, name)).toMatchObject({ status: 200 });
  expect(await ask("GET", path)).toMatchObject({ status: 200, body: name });
  expect(await ask("GET", `${STORE}/0/${own}/artifacts/${encodedPath(kept)}`)).toMatchObject({ body: name });
  const { body } = await list(`0/${own}/artifacts`);
  expect(body.files.map((file: { path: string }) => file.path)).toEqual([kept.split("/")[0]]);
});

test("what is removed already is so when it is asked for once more, though its run is in MLflow, which is away", async () => {
  const own = await newRun();
  const path = `${STORE}/0/${own}/artifacts/once`;
  await ask("PUT", path, "x");
  await env.DB.prepare("update streams set mlflow_run_id = ?2 where key = ?1")
    .bind(own, crypto.randomUUID().replaceAll("-", ""))
    .run();
  for (let n = 0; n < 2; n++) expect(await ask("DELETE", path)).toMatchObject({ status: 200, body: {} });
});

describe("refused as by MLflow:", () => {
  const REFUSED = { status: 400, body: { error_code: "INVALID_PARAMETER_VALUE", message: "Invalid path" } };
  test.each(["%2e%2e%2fx", "a%2f..%2f..%2fx", "q/%252e%252e/x", "a%5C..%5Cx", "h%23a", "a%00"])(
    "a path such as %s",
    async (path) => {
      expect(await put(path, "x")).toMatchObject(REFUSED);
      expect(await get(path)).toMatchObject(REFUSED);
    },
  );

  test("a listing that leads out of the run, and one of no run", async () => {
    expect(await list(`${root}/../..`)).toMatchObject(REFUSED);
    expect(await read("artifacts/list", { run_id: run, path: "../.." })).toMatchObject(REFUSED);
    expect(await read("artifacts/list", {})).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining("Missing value for required parameter 'run_id'") },
    });
  });

  test("a file where there is a directory, at once", async () => {
    await put("dir/file", "x");
    expect(await put("dir", "x")).toMatchObject({ status: 409, body: { error_code: "RESOURCE_CONFLICT" } });
  });

  test("a file that is too large, with what to do instead", async () => {
    const answer = await ask("PUT", `${STORE}/${root}/large`, "x".repeat(1_000_001), {
      RELAY_MAX_ARTIFACT_MB: "1",
    });
    expect(answer).toMatchObject({ status: 413, body: { message: expect.stringContaining("in parts") } });
    expect((await get("large")).status).toBe(404);
  });
});

test("what is not the relay's is MLflow's to answer, which is away: refused at once", async () => {
  const other = `0/${"f".repeat(32)}/artifacts`;
  for (const answer of [
    await ask("PUT", `${STORE}/${other}/x`, "x"),
    await ask("GET", `${STORE}/${other}/x`),
  ])
    expect(answer).toMatchObject({ status: 501, body: { error_code: "NOT_IMPLEMENTED" } });
});

test("what is below a model's files is the model's, whatever it is called", async () => {
  const path = `0/models/m-${"e".repeat(32)}/artifacts/${root.slice(2)}/stray`;
  expect((await ask("PUT", `${STORE}/${path}`, "x")).status).toBe(501);
  expect((await get("stray")).status).toBe(404);
});

test("without a bucket nothing is kept: it is passed on", async () => {
  const answer = await ask("PUT", `${STORE}/${root}/passed`, "x", { ARTIFACTS: undefined });
  // The proxy's word for an MLflow that is away, or has not heard of the run yet.
  expect([501, 503]).toContain(answer.status);
  expect((await get("passed")).status).toBe(404);
});

test("MLflow's own pages find a file by its run, and write one, while MLflow is away", async () => {
  const query = (path: string) => new URLSearchParams({ run_uuid: run, path });
  const at = `/ajax-api/2.0/mlflow/upload-artifact?${query("notes/a b.txt")}`;
  expect(await ask("POST", at, "written")).toMatchObject({ status: 200, body: {} });
  expect(await ask("GET", `/get-artifact?${query("notes/a b.txt")}`)).toMatchObject({
    status: 200,
    body: "written",
  });
  expect(await ask("GET", `/get-artifact?${query("nothing")}`)).toMatchObject({
    status: 404,
    body: { error_code: "RESOURCE_DOES_NOT_EXIST" },
  });
  for (const path of ["../up", "a/%2e%2e/up", "a//b"])
    expect(await ask("GET", `/get-artifact?${query(path)}`)).toMatchObject({ status: 400 });
});
