import { beforeEach, expect, test } from "vitest";
import { call, dataOf, newRun } from "./gateway-api.ts";
import { emptied, gatewayWorld } from "./gateway-world.ts";

/** What clients of MLflow 1 and 2 say of a model that they logged: it is kept in a tag of its run. */

beforeEach(emptied);

const TAG = "mlflow.log-model.history";
const SKLEARN = { pickled_model: "model.pkl", sklearn_version: "1.5.0", config: { not: "kept" } };

const model = (run_id: string, artifact_path: string, more: object = {}) => ({
  run_id,
  artifact_path,
  utc_time_created: "2026-11-29 04:28:25.123456",
  model_uuid: `uuid of ${artifact_path}`,
  mlflow_version: "2.16.2",
  flavors: { sklearn: SKLEARN },
  signature: { inputs: "[]", outputs: null, params: null },
  ...more,
});

const logModel = (run_id: string, said: object | string) =>
  call("runs/log-model", { run_id, model_json: typeof said === "string" ? said : JSON.stringify(said) });

const kept = (run_id: string, artifact_path: string) => {
  const { signature: _, mlflow_version: __, flavors: ___, ...rest } = model(run_id, artifact_path);
  return { ...rest, flavors: { sklearn: { pickled_model: "model.pkl", sklearn_version: "1.5.0" } } };
};

const tagOf = async (run: string) => String((await dataOf(run, "tags"))[TAG]);
const historyOf = async (run: string): Promise<unknown> => JSON.parse(await tagOf(run));

test("it is read back at once, once for each model, and MLflow has it under its own id of the run", async () => {
  const w = gatewayWorld();
  const run = await newRun({ experiment_id: await w.experiment() });
  expect(await logModel(run, model(run, "first"))).toMatchObject({ status: 200, body: {} });
  expect(await historyOf(run)).toEqual([kept(run, "first")]);
  expect((await logModel(run, model(run, "second"))).status).toBe(200);
  // The answer was lost, and the client asks again.
  expect((await logModel(run, model(run, "second"))).status).toBe(200);
  expect(await historyOf(run)).toEqual([kept(run, "first"), kept(run, "second")]);
  expect(await w.deliver()).toBe(true);
  const [[theirs, there] = []] = [...w.mlflow.runs];
  expect(JSON.parse(there?.tags.get(TAG) ?? "null")).toEqual([
    kept(theirs ?? "", "first"),
    kept(theirs ?? "", "second"),
  ]);
  expect(theirs).not.toBe(run);
  expect(await historyOf(run)).toEqual([kept(run, "first"), kept(run, "second")]);
});

test("the latest are kept where a tag has no room for all, and one that has no room by itself is refused", async () => {
  const run = await newRun();
  for (let i = 0; i < 60; i++) expect((await logModel(run, model(run, `m${i}`))).status).toBe(200);
  const text = await tagOf(run);
  expect(text.length).toBeLessThanOrEqual(8_000);
  const paths = JSON.parse(text).map(({ artifact_path }: { artifact_path: string }) => artifact_path);
  expect(paths.length).toBeGreaterThan(20);
  expect(paths).toEqual(Array.from({ length: paths.length }, (_, i) => `m${60 - paths.length + i}`));
  const long = await logModel(run, model(run, "x".repeat(8_000)));
  expect(long).toMatchObject({ status: 400, body: { error_code: "INVALID_PARAMETER_VALUE" } });
  expect(await tagOf(run)).toBe(text);
});

test("what is no model is refused as by MLflow, and a tag that somebody else wrote is no hindrance", async () => {
  const run = await newRun();
  const refused = async (said: object | string) => (await logModel(run, said)).body.message;
  expect(await refused("{")).toBe("Malformed model info. \n { \n is not a valid JSON.");
  expect(await refused({ ...model(run, "m"), flavors: undefined })).toBe(
    "Model json is missing mandatory fields: {'flavors'}",
  );
  for (const odd of ["[]", "7", `{"a": ${"[".repeat(50_000)}${"]".repeat(50_000)}}`])
    expect(await refused(odd)).toContain("Malformed model info.");
  expect((await call("runs/log-model", { run_id: run })).body.message).toContain("'model_json'");
  expect((await logModel("f".repeat(32), model(run, "m"))).status).toBe(503);
  await call("runs/set-tag", { run_id: run, key: TAG, value: "not JSON" });
  expect((await logModel(run, model(run, "m"))).status).toBe(200);
  expect(await historyOf(run)).toEqual([kept(run, "m")]);
  await call("runs/delete", { run_id: run });
  expect((await logModel(run, model(run, "n"))).status).toBe(400);
});
