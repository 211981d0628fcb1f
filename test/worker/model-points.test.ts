import { env } from "cloudflare:workers";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { call, newRun } from "./gateway-api.ts";
import { send } from "./gateway-models-api.ts";
import { emptied, gatewayWorld } from "./gateway-world.ts";

/** Points of logged models that are in MLflow only: they do not stay here for good, or were never here. */

const RETENTION_MS = 7 * 86_400_000;
/** A little before it, and a little after. */
const SLACK_MS = 60_000;
const UP = { bindings: { MLFLOW_TRACKING_URI: "http://mlflow.test" } };

beforeEach(emptied);
afterEach(() => vi.unstubAllGlobals());

type Point = { key: string; value: unknown; step: number };

/** A model with these points in MLflow, and the time to see whether they may go. */
async function world(points: readonly Point[]) {
  const w = gatewayWorld({ RELAY_RETENTION_DAYS: "7" });
  vi.stubGlobal("fetch", w.mlflow.fetch);
  const experiment_id = await w.experiment();
  const run_id = await newRun({ experiment_id });
  const made = await call("logged-models", { experiment_id, name: "tree", tags: [{ key: "a", value: "1" }] });
  const model_id: string = made.body.model.info.model_id;
  const metrics = points.map((point) => ({ ...point, timestamp: point.step, model_id }));
  await call("runs/log-batch", { run_id, metrics });
  await send("PATCH", `logged-models/${model_id}`, { model_id, status: "LOGGED_MODEL_READY" });
  await w.deliver();
  const [theirs] = w.models.byId.values();
  if (!theirs) throw new Error("the model is not in MLflow");
  const here = async () =>
    (await env.DB.prepare("select count(*) as n from gateway_model_points").first<number>("n")) ?? 0;
  const shown = metrics.map((point) => ({ ...point, run_id }));
  return { w, experiment_id, model_id, theirs, here, shown };
}

const LOSSES = [1, 2, 3].map((step) => ({ key: "loss", value: 1 / step, step }));

test("points that MLflow has go after the retention, and not before; they are shown and searched as ever", async () => {
  const { w, experiment_id, model_id, here, shown } = await world(LOSSES);
  w.pass(RETENTION_MS - SLACK_MS);
  await w.cron();
  expect(await here()).toBe(3);
  w.pass(2 * SLACK_MS);
  expect(await w.cron()).toMatchObject({ pruned_rows: 3 });
  expect(await here()).toBe(0);
  const { model } = (await send("GET", `logged-models/${model_id}`, undefined, UP)).body;
  expect(model.data.metrics).toEqual(shown);
  const filter = `model_id = '${model_id}'`;
  const found = await call("logged-models/search", { experiment_ids: [experiment_id], filter }, UP);
  expect([found.headers.get("x-relay-partial"), found.body]).toEqual([null, { models: [model] }]);
});

test("a point that MLflow does not have, or has otherwise, stays, and is looked for again", async () => {
  const { w, theirs, here } = await world(LOSSES);
  const [[first = "", one = {}] = [], [second = "", other = {}] = []] = theirs.points;
  theirs.points.delete(first);
  theirs.points.set(second, { ...other, value: 7 });
  w.pass(RETENTION_MS + SLACK_MS);
  await w.cron();
  expect(await here()).toBe(2);
  theirs.points.set(first, one).set(second, other);
  await w.cron();
  expect(await here()).toBe(2);
  w.pass(86_400_000);
  await w.cron();
  expect(await here()).toBe(0);
});

test("NaN stays, for which a model has no place in MLflow", async () => {
  const { w, model_id, here, shown } = await world([...LOSSES, { key: "odd", value: "NaN", step: 1 }]);
  w.pass(RETENTION_MS + SLACK_MS);
  await w.cron();
  expect(await here()).toBe(1);
  const { model } = (await send("GET", `logged-models/${model_id}`, undefined, UP)).body;
  expect(model.data.metrics).toEqual(shown);
});

test("what is said of the model later goes on, and goes in its turn", async () => {
  const { w, model_id, here, shown } = await world(LOSSES);
  w.pass(RETENTION_MS + SLACK_MS);
  await w.cron();
  const run_id = shown[0]?.run_id ?? "";
  const later = { key: "loss", value: 0.125, timestamp: 8, step: 8, model_id };
  await call("runs/log-batch", { run_id, metrics: [later] });
  const { model } = (await send("GET", `logged-models/${model_id}`, undefined, UP)).body;
  expect(model.data.metrics).toEqual([...shown, { ...later, run_id }]);
  await w.deliver();
  w.pass(RETENTION_MS + SLACK_MS);
  await w.cron();
  expect(await here()).toBe(0);
});

test("while MLflow is away the model is shown with what is left, and the answer says so", async () => {
  const { w, experiment_id, model_id } = await world(LOSSES);
  w.pass(RETENTION_MS + SLACK_MS);
  await w.cron();
  vi.unstubAllGlobals();
  const answers = [
    await send("GET", `logged-models/${model_id}`),
    await call("logged-models/search", { experiment_ids: [experiment_id] }),
  ];
  expect(answers.map(({ status, headers }) => [status, headers.get("x-relay-partial")])).toEqual([
    [200, "true"],
    [200, "true"],
  ]);
  expect(answers[0]?.body.model.info).toMatchObject({ name: "tree", status: "LOGGED_MODEL_READY" });
  expect(answers[1]?.body.models).toHaveLength(1);
});

test("while MLflow does not tell of it nothing goes", async () => {
  const { w, here } = await world(LOSSES);
  w.pass(RETENTION_MS + SLACK_MS);
  w.mlflow.trouble = (endpoint) => (endpoint.startsWith("logged-models/") ? "refused" : null);
  await w.cron();
  const [[id = ""] = []] = w.models.byId;
  w.mlflow.trouble = () => null;
  w.models.byId.delete(id);
  await w.cron();
  expect(await here()).toBe(3);
});

test("a model that MLflow had first is shown with its points there while something said of it is on its way", async () => {
  const w = gatewayWorld();
  vi.stubGlobal("fetch", w.mlflow.fetch);
  w.models.answer("POST", "logged-models", { experiment_id: "0", name: "theirs" }, new URLSearchParams());
  const [[id = "", theirs] = []] = w.models.byId;
  const point = { key: "loss", value: 0.5, timestamp: 1, step: 1, run_id: "0".repeat(32) };
  theirs?.points.set("loss", point);
  await send("PATCH", `logged-models/${id}/tags`, { tags: [{ key: "judged", value: "good" }] }, UP);
  expect(theirs?.tags.size).toBe(0);
  const { model } = (await send("GET", `logged-models/${id}`, undefined, UP)).body;
  expect(model.info.tags).toEqual([{ key: "judged", value: "good" }]);
  expect(model.data.metrics).toEqual([{ ...point, model_id: id }]);
});
