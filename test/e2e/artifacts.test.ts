import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FAULTS } from "../lib/fault-proxy.ts";
import { unwrap } from "../lib/mlflow-read.ts";
import { trialOf } from "../lib/one-trial.ts";
import { type Lab, openLab } from "./lab.ts";

const LARGE_BYTES = 24_000_000;
/** An answer that takes long is no failure here. */
const PATIENT = { MLFLOW_REQUEST_TIMEOUT: "30000" };
const HTML = "<script>alert(1)</script>";

let lab: Lab;
let runId: string;
const large = randomBytes(LARGE_BYTES);
beforeAll(async () => {
  lab = await openLab(PATIENT);
  const t = trialOf("files");
  await lab.relay.send([t.announce(), t.start(), t.complete()]);
  await lab.relay.delivered("files");
  runId = (await lab.mlflow.trial("files", "t")).runId;
  await upload("model/weights (ü).bin", large);
  await upload("report.html", HTML);
  await upload("empty", "");
});
afterAll(() => lab?.close());

/** As MLflow's own client does it. */
async function upload(path: string, body: Uint8Array<ArrayBuffer> | string): Promise<void> {
  const { artifactUri } = unwrap(await lab.mlflow.client.getRun(runId)).info;
  const root = artifactUri?.replace("mlflow-artifacts:/", "") ?? "";
  const url = `${lab.trackingUri}/api/2.0/mlflow-artifacts/artifacts/${root}/${encodeURI(path)}`;
  const put = await fetch(url, { method: "PUT", body });
  if (!put.ok) throw new Error(`MLflow answered ${put.status}`);
}

const download = (path: string, run = runId) => lab.relay.fetch(`/api/runs/${run}/artifacts/${path}`);

describe("the artifacts of a run", () => {
  test("are listed, directory by directory", async () => {
    const root = await lab.relay.get(`/api/runs/${runId}/artifacts`);
    expect(root).toMatchObject({ status: 200 });
    expect(root.body).toEqual({
      mlflow_run_id: runId,
      files: [
        // MLflow says no more of an empty file.
        { path: "empty", is_dir: false, bytes: null },
        { path: "model", is_dir: true, bytes: null },
        { path: "report.html", is_dir: false, bytes: HTML.length },
      ],
      next_cursor: null,
    });
    const inside = await lab.relay.get(`/api/runs/${runId}/artifacts?path=model`);
    expect(inside.body.files).toEqual([{ path: "model/weights (ü).bin", is_dir: false, bytes: LARGE_BYTES }]);
  });

  test("are downloaded byte for byte, under their own names", async () => {
    const answer = await download(encodeURI("model/weights (ü).bin"));
    expect(answer.status).toBe(200);
    expect(Buffer.from(await answer.arrayBuffer()).equals(large)).toBe(true);
    const { headers } = answer;
    expect(headers.get("content-disposition")).toBe(
      "attachment; filename*=UTF-8''weights%20%28%C3%BC%29.bin",
    );
    expect(headers.get("content-length")).toBe(String(LARGE_BYTES));
    expect(await (await download(encodeURIComponent("model/weights (ü).bin"))).arrayBuffer()).toHaveProperty(
      "byteLength",
      LARGE_BYTES,
    );
    const empty = await download("empty");
    expect([empty.status, await empty.text()]).toEqual([200, ""]);
  });

  test("are never shown or run by a browser, and bring no header of MLflow's along", async () => {
    const { headers, ...answer } = await download("report.html").then(async (response) => ({
      headers: response.headers,
      text: await response.text(),
    }));
    expect(answer.text).toBe(HTML);
    expect(headers.get("content-type")).toBe("application/octet-stream");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("content-disposition")).toMatch(/^attachment/);
    expect([headers.get("server"), headers.get("etag"), headers.get("authorization")]).toEqual([
      null,
      null,
      null,
    ]);
  });

  test("that are not there are a 404, what is no file a 400", async () => {
    for (const [path, run] of [
      ["missing", runId],
      ["model/missing", runId],
      ["report.html", "a".repeat(32)],
    ] as const) {
      const answer = await download(path, run);
      expect([path, answer.status, await answer.json()]).toMatchObject([path, 404, { error: "not_found" }]);
    }
    for (const path of ["model", "%2E%2E%2Fsecrets"]) {
      const answer = await download(path);
      expect([path, answer.status, await answer.json()]).toMatchObject([
        path,
        400,
        { errors: [{ field: "path" }] },
      ]);
    }
    expect(await lab.relay.get(`/api/runs/${"a".repeat(32)}/artifacts`)).toMatchObject({ status: 404 });
    expect(await lab.relay.get(`/api/runs/${runId}/artifacts?path=..`)).toMatchObject({ status: 400 });
  });
});

test("while MLflow is away artifacts are a 503 that says when to come again", async () => {
  lab.proxy.fail({}, FAULTS.refuse);
  for (const path of ["", "/report.html"]) {
    const answer = await lab.relay.fetch(`/api/runs/${runId}/artifacts${path}`);
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "5"]);
    expect(await answer.json()).toMatchObject({ error: "unavailable" });
  }
  lab.proxy.heal();
  expect(await (await download("report.html")).text()).toBe(HTML);
});
