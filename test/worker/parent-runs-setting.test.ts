import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { drive } from "../../src/relay/delivery/drive.ts";
import { post } from "./api.ts";
import { FakeMlflow } from "./fake-mlflow.ts";
import { start } from "./payloads.ts";

const EARLY = { RELAY_ANNOUNCE_GRACE_SECONDS: "0" };

async function idsOf(modelRunId: string) {
  const { results } = await env.DB.prepare("select id from streams where model_run_id = ?1 order by kind")
    .bind(modelRunId)
    .all<{ id: number }>();
  return results.map(({ id }) => id);
}

it("a model run that becomes a run of MLflow's later has there all that was said of it before", async () => {
  const mlflow = new FakeMlflow();
  const model_run_id = "flat first";
  const announced = {
    event: "ml.run.start",
    model_run_id,
    requested_trials: 7,
    search_space_version: 2,
    tags: { team: "vision" },
  };
  await post([announced, start("one", { model_run_id })]);
  for (const id of await idsOf(model_run_id))
    await drive(mlflow.deps({ ...EARLY, RELAY_PARENT_RUNS: "false" }), id);
  expect(mlflow.runs.size).toBe(1);
  await post(start("two", { model_run_id }));
  for (const id of (await idsOf(model_run_id)).toReversed()) await drive(mlflow.deps(EARLY), id);
  const parent = [...mlflow.runs.values()].find(({ name }) => name === model_run_id);
  expect(parent).toBeDefined();
  expect(Object.fromEntries(parent?.params ?? [])).toMatchObject({ requested_trials: "7" });
  expect(Object.fromEntries(parent?.tags ?? [])).toMatchObject({ team: "vision" });
});

it("a model run that has its run goes on in it, though others are to have none any more", async () => {
  const mlflow = new FakeMlflow();
  const model_run_id = "nested first";
  await post({ event: "ml.run.start", model_run_id, requested_trials: 1, search_space_version: 1 });
  const [id = -1] = await idsOf(model_run_id);
  await drive(mlflow.deps(EARLY), id);
  const stop = {
    event: "ml.run.stop",
    model_run_id,
    state: "completed",
    completed_trials: 0,
    best_metric: 0.5,
  };
  expect((await post(stop)).status).toBe(202);
  await drive(mlflow.deps({ ...EARLY, RELAY_PARENT_RUNS: "false" }), id);
  const [run] = mlflow.runs.values();
  expect(run?.status).toBe("FINISHED");
  expect(run?.metrics).toMatchObject([{ key: "best_metric", value: 0.5 }]);
});
