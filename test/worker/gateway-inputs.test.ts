import { expect, it } from "vitest";
import { call, newRun, runOf } from "./gateway-api.ts";

const dataset = { name: "iris", digest: "5f1a", source_type: "code", source: "{}", schema: "{}" };
const tags = [{ key: "mlflow.data.context", value: "train" }];

it("datasets that a run was given are shown, each once", async () => {
  const run_id = await newRun();
  const other = { tags: [], dataset: { ...dataset, digest: "77" } };
  for (const datasets of [[{ tags, dataset }], [{ tags, dataset }, other]])
    expect((await call("runs/log-inputs", { run_id, datasets })).body).toEqual({});
  expect((await runOf(run_id)).inputs).toEqual({ dataset_inputs: [{ tags, dataset }, other] });
});

it("a dataset that is given again for another use stands as it was given first", async () => {
  const run_id = await newRun();
  const given = (value: string) => ({ tags: [{ key: "mlflow.data.context", value }], dataset });
  for (const datasets of [[given("train"), given("eval")], [given("test")], [{ dataset }]])
    expect((await call("runs/log-inputs", { run_id, datasets })).body).toEqual({});
  expect((await runOf(run_id)).inputs).toEqual({ dataset_inputs: [given("train")] });
});

it.each([
  ["a dataset without a name", [{ dataset: { ...dataset, name: "" } }], "INVALID_PARAMETER_VALUE"],
  [
    "a digest that is too long",
    [{ dataset: { ...dataset, digest: "5".repeat(37) } }],
    "INVALID_PARAMETER_VALUE",
  ],
  ["a dataset that is none", ["iris"], "INVALID_PARAMETER_VALUE"],
])("%s is refused, with what is beside it", async (_, datasets, code) => {
  const run_id = await newRun();
  const all = [{ tags, dataset }, ...datasets];
  expect((await call("runs/log-inputs", { run_id, datasets: all })).body.error_code).toBe(code);
  expect((await runOf(run_id)).inputs).toEqual({});
});

it("a run that is deleted is given none", async () => {
  const run_id = await newRun();
  await call("runs/delete", { run_id });
  const { status, body } = await call("runs/log-inputs", { run_id, datasets: [{ tags, dataset }] });
  expect([status, body.error_code]).toEqual([400, "INVALID_PARAMETER_VALUE"]);
  expect((await runOf(run_id)).inputs).toEqual({});
});

it("a model that a run was given is shown beside the datasets", async () => {
  const run_id = await newRun();
  const models = [{ model_id: "m-1" }];
  await call("runs/log-inputs", { run_id, datasets: [{ tags, dataset }], models });
  expect((await runOf(run_id)).inputs).toEqual({
    dataset_inputs: [{ tags, dataset }],
    model_inputs: models,
  });
});
