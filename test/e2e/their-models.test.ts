import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { type Lab, openLab } from "./lab.ts";

/** Logged models that were made straight in MLflow: found, read, spoken of and deleted through the relay. */

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab?.close());

const text = z.string();
const pairs = z.array(z.object({ key: text, value: text })).default([]);
const shown = z.object({
  info: z.object({ model_id: text, status: text, artifact_uri: text, source_run_id: text, tags: pairs }),
  data: z.object({
    params: pairs,
    metrics: z.array(z.object({ key: text, value: z.number(), step: z.number(), run_id: text })).default([]),
  }),
});
const one = z.object({ model: shown });
const many = z.object({ models: z.array(shown).default([]) });
const STORE = "/api/2.0/mlflow-artifacts/artifacts";

type Side = "relay" | "mlflow";

async function ask(side: Side, method: string, path: string, body?: object | string): Promise<unknown> {
  const answer = await askFor(side, method, `/api/2.0/mlflow/${path}`, body);
  const said = await answer.text();
  if (!answer.ok) throw new Error(`${side}: ${method} ${path}: ${answer.status} ${said}`);
  return said === "" ? {} : JSON.parse(said);
}

function askFor(side: Side, method: string, path: string, body?: object | string): Promise<Response> {
  const init = {
    method,
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    headers: { "content-type": "application/json" },
  };
  return side === "relay" ? lab.relay.fetch(path, init) : fetch(`${lab.trackingUri}${path}`, init);
}

const get = async (side: Side, id: string) => one.parse(await ask(side, "GET", `logged-models/${id}`)).model;
const tagsOf = ({ info }: z.output<typeof shown>) =>
  Object.fromEntries(info.tags.map(({ key, value }) => [key, value]));
const arrived = () => lab.relay.until("MLflow has it", () => lab.relay.store.clientsBehind().length === 0);

/** Made in MLflow: an experiment and a run with a finished model that has a file and a point. */
async function theirs(name: string) {
  const { experiment_id } = z
    .object({ experiment_id: text })
    .parse(await ask("mlflow", "POST", "experiments/create", { name }));
  const made = await ask("mlflow", "POST", "runs/create", {
    experiment_id,
    run_name: "maker",
    start_time: 1,
  });
  const { run_id } = z.object({ run: z.object({ info: z.object({ run_id: text }) }) }).parse(made).run.info;
  const { info } = one.parse(
    await ask("mlflow", "POST", "logged-models", {
      experiment_id,
      name: "tree",
      source_run_id: run_id,
      params: [{ key: "depth", value: "3" }],
      tags: [{ key: "by", value: "them" }],
    }),
  ).model;
  const id = info.model_id;
  const root = info.artifact_uri.replace(/^mlflow-artifacts:\/+/, "");
  await askFor("mlflow", "PUT", `${STORE}/${root}/MLmodel`, "flavors: {}");
  const point = { key: "loss", value: 0.5, timestamp: 1_000, step: 1, model_id: id };
  await ask("mlflow", "POST", "runs/log-batch", { run_id, metrics: [point] });
  await ask("mlflow", "POST", "runs/outputs", { run_id, models: [{ model_id: id, step: 1 }] });
  await ask("mlflow", "PATCH", `logged-models/${id}`, { model_id: id, status: "LOGGED_MODEL_READY" });
  return { experiment_id, run_id, id, root };
}

const found = async (experiment_id: string, filter: string) => {
  const body = { experiment_ids: [experiment_id], filter };
  return many.parse(await ask("relay", "POST", "logged-models/search", body)).models;
};

test("such a model is found and read, with its files, as MLflow has it", async () => {
  const { experiment_id, id, root } = await theirs("read");
  const there = await get("mlflow", id);
  expect(await get("relay", id)).toEqual(there);
  for (const filter of ["name = 'tree'", "metrics.loss < 1 AND params.depth = '3'", "tags.by = 'them'"])
    expect(await found(experiment_id, filter)).toEqual([there]);
  expect(await found(experiment_id, "name = 'bush'")).toEqual([]);
  const listed = await askFor("relay", "GET", `/api/2.0/mlflow/logged-models/${id}/artifacts/directories`);
  expect(await listed.json()).toMatchObject({ files: [{ path: "MLmodel", is_dir: false }] });
  expect(await (await askFor("relay", "GET", `${STORE}/${root}/MLmodel`)).text()).toBe("flavors: {}");
});

test("what is said of it through the relay gets to MLflow, beside what was there", async () => {
  const { experiment_id, run_id, id, root } = await theirs("spoken of");
  await ask("relay", "PATCH", `logged-models/${id}/tags`, { tags: [{ key: "judged", value: "good" }] });
  await ask("relay", "DELETE", `logged-models/${id}/tags/by`);
  const params = [{ key: "late", value: "yes" }];
  await ask("relay", "POST", `logged-models/${id}/params`, { model_id: id, params });
  const made = await ask("relay", "POST", "runs/create", { experiment_id, run_name: "judge", start_time: 2 });
  const judge = z.object({ run: z.object({ info: z.object({ run_id: text }) }) }).parse(made).run.info.run_id;
  const point = { key: "loss", value: 0.25, timestamp: 2_000, step: 2, model_id: id };
  await ask("relay", "POST", "runs/log-batch", { run_id: judge, metrics: [point] });
  await ask("relay", "POST", "runs/log-inputs", { run_id: judge, models: [{ model_id: id }], datasets: [] });
  await askFor("relay", "PUT", `${STORE}/${root}/notes.txt`, "good");
  await arrived();
  const there = await get("mlflow", id);
  expect(tagsOf(there)).toEqual({ judged: "good" });
  expect(there.info).toMatchObject({ status: "LOGGED_MODEL_READY", source_run_id: run_id });
  expect(there.data.params.map(({ key }) => key).sort()).toEqual(["depth", "late"]);
  expect(there.data.metrics.map(({ step }) => step).sort()).toEqual([1, 2]);
  expect(await (await askFor("mlflow", "GET", `${STORE}/${root}/notes.txt`)).text()).toBe("good");
  const here = await get("relay", id);
  expect(here.data.metrics.find(({ step }) => step === 2)?.run_id).toBe(judge);
  expect(tagsOf(here)).toEqual(tagsOf(there));
  expect((await found(experiment_id, "tags.judged = 'good'")).map(({ info }) => info.model_id)).toEqual([id]);
});

test("once spoken of it is known while MLflow is away, and what is said then arrives", async () => {
  const { id } = await theirs("away");
  const tag = (value: string) =>
    ask("relay", "PATCH", `logged-models/${id}/tags`, { tags: [{ key: "stage", value }] });
  await tag("one");
  await arrived();
  await lab.proxy.stop();
  await tag("two");
  expect(tagsOf(await get("relay", id))).toEqual({ by: "them", stage: "two" });
  await lab.proxy.listen();
  await lab.relay.cron();
  await arrived();
  expect(tagsOf(await get("mlflow", id))).toEqual({ by: "them", stage: "two" });
  await ask("mlflow", "PATCH", `logged-models/${id}/tags`, { tags: [{ key: "by", value: "others" }] });
  expect(tagsOf(await get("relay", id))).toEqual({ by: "others", stage: "two" });
});

test("what is edited in MLflow stands when something else is said of it here", async () => {
  const { id } = await theirs("edited");
  const tag = (side: Side, key: string, value: string) =>
    ask(side, "PATCH", `logged-models/${id}/tags`, { tags: [{ key, value }] });
  await tag("relay", "stage", "one");
  await arrived();
  await tag("mlflow", "by", "others");
  await tag("relay", "stage", "two");
  await arrived();
  expect(tagsOf(await get("mlflow", id))).toEqual({ by: "others", stage: "two" });
  expect(tagsOf(await get("relay", id))).toEqual({ by: "others", stage: "two" });
});

test("deleted through the relay it is deleted in MLflow", async () => {
  const { experiment_id, id } = await theirs("deleted");
  await ask("relay", "DELETE", `logged-models/${id}`);
  await arrived();
  for (const side of ["relay", "mlflow"] as const)
    expect((await askFor(side, "GET", `/api/2.0/mlflow/logged-models/${id}`)).status).toBe(404);
  expect(await found(experiment_id, "name = 'tree'")).toEqual([]);
});

test("a model of the relay's that is edited or deleted in MLflow comes back by the job", async () => {
  const { experiment_id } = await theirs("ours");
  const made = await ask("relay", "POST", "logged-models", { experiment_id, name: "bush" });
  const id = one.parse(made).model.info.model_id;
  await ask("relay", "PATCH", `logged-models/${id}`, { model_id: id, status: "LOGGED_MODEL_READY" });
  await arrived();
  const listed = many.parse(
    await ask("mlflow", "POST", "logged-models/search", { experiment_ids: [experiment_id] }),
  );
  const there = listed.models.find((model) => tagsOf(model)["relay.model_id"] === id)?.info.model_id ?? "";
  await ask("mlflow", "PATCH", `logged-models/${there}/tags`, { tags: [{ key: "judged", value: "good" }] });
  await synced(experiment_id);
  expect(tagsOf(await get("relay", id))).toEqual({ judged: "good" });
  await ask("mlflow", "DELETE", `logged-models/${there}`);
  await synced(experiment_id);
  expect((await askFor("relay", "GET", `/api/2.0/mlflow/logged-models/${id}`)).status).toBe(404);
});

async function synced(experiment_id: string): Promise<void> {
  const { body } = await lab.relay.ask("/api/sync/experiments", { experiment_id });
  await lab.relay.until("the experiment is read", async () => {
    const job = await lab.relay.get(`/api/sync/jobs/${String(body.job_id)}`);
    return job.body.state === "succeeded";
  });
}
