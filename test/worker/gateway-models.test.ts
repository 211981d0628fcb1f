import { env } from "cloudflare:workers";
import { expect, it, test } from "vitest";
import { call, newRun, runOf } from "./gateway-api.ts";
import { send } from "./gateway-models-api.ts";
import { losing } from "./losing.ts";
import { POINTS } from "./stored-points.ts";

/** Logged models for MLflow's clients, with an MLflow that is away. */

const pair = (key: string, value: string) => ({ key, value });

async function newModel(more: object = {}): Promise<string> {
  const { status, body } = await call("logged-models", { experiment_id: "0", name: "tree", ...more });
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body.model.info.model_id;
}

const modelOf = async (id: string) => (await send("GET", `logged-models/${id}`)).body.model;

test("a model is made, spoken of, ended and shown", async () => {
  const run_id = await newRun();
  const made = await call("logged-models", {
    experiment_id: "0",
    name: "tree",
    model_type: "sklearn",
    source_run_id: run_id,
    params: [pair("depth", "3")],
    tags: [pair("a", "1")],
  });
  const { info, data } = made.body.model;
  const id: string = info.model_id;
  expect(id).toMatch(/^m-[0-9a-f]{32}$/);
  expect(info).toEqual({
    model_id: id,
    experiment_id: "0",
    name: "tree",
    creation_timestamp_ms: expect.any(Number),
    last_updated_timestamp_ms: info.creation_timestamp_ms,
    artifact_uri: `mlflow-artifacts:/0/models/${id}/artifacts`,
    status: "LOGGED_MODEL_PENDING",
    model_type: "sklearn",
    source_run_id: run_id,
    tags: [pair("a", "1")],
  });
  expect(data).toEqual({ params: [pair("depth", "3")] });
  const answers = [
    await send("PATCH", `logged-models/${id}/tags`, { tags: [pair("a", "2"), pair("b", "x")] }),
    await send("DELETE", `logged-models/${id}/tags/b`),
    await send("POST", `logged-models/${id}/params`, {
      model_id: id,
      params: [pair("seed", "0"), pair("depth", "3")],
    }),
  ];
  expect(answers.map(({ status, body }) => [status, body])).toEqual(answers.map(() => [200, {}]));
  const ended = await send("PATCH", `logged-models/${id}`, { model_id: id, status: "LOGGED_MODEL_READY" });
  expect(ended.body.model.info).toMatchObject({ status: "LOGGED_MODEL_READY", tags: [pair("a", "2")] });
  expect((await modelOf(id)).data).toEqual({ params: [pair("depth", "3"), pair("seed", "0")] });
});

test("a model that is deleted is not there, but for who asks for such", async () => {
  const id = await newModel();
  expect((await send("DELETE", `logged-models/${id}`)).body).toEqual({});
  const gone = await send("GET", `logged-models/${id}`);
  expect([gone.status, gone.body]).toEqual([
    404,
    { error_code: "RESOURCE_DOES_NOT_EXIST", message: `Logged model with ID '${id}' not found.` },
  ]);
  expect((await send("GET", `logged-models/${id}?allow_deleted=true`)).status).toBe(200);
});

it.each<[string, object, number, string]>([
  ["a name with a slash", { name: "a/b" }, 400, "INVALID_PARAMETER_VALUE"],
  ["no experiment", { experiment_id: "" }, 400, "INVALID_PARAMETER_VALUE"],
  ["a parameter twice", { params: [pair("a", "1"), pair("a", "2")] }, 400, "INVALID_PARAMETER_VALUE"],
  [
    "a tag that would lead elsewhere in an address",
    { tags: [pair("..", "1")] },
    400,
    "INVALID_PARAMETER_VALUE",
  ],
  ["a tag that JavaScript would lose", { tags: [pair("__proto__", "1")] }, 400, "INVALID_PARAMETER_VALUE"],
])("%s makes no model", async (_, more, status, code) => {
  const answer = await call("logged-models", { experiment_id: "0", name: "x", ...more });
  expect([answer.status, answer.body.error_code]).toEqual([status, code]);
});

it.each<[string, string, string, object, string]>([
  ["another value of a parameter", "POST", "/params", { params: [pair("depth", "4")] }, "BAD_REQUEST"],
  ["taking away a tag that is not there", "DELETE", "/tags/none", {}, "RESOURCE_DOES_NOT_EXIST"],
  ["an unknown status", "PATCH", "", { status: "DONE" }, "INVALID_PARAMETER_VALUE"],
])("%s is refused, and changes nothing", async (_, method, rest, body, code) => {
  const id = await newModel({ params: [pair("depth", "3")] });
  const before = await modelOf(id);
  const answer = await send(method, `logged-models/${id}${rest}`, { model_id: id, ...body });
  expect(answer.body.error_code).toBe(code);
  expect(await modelOf(id)).toEqual(before);
});

test("a model that nobody knows is answered as unknown for now: only MLflow could tell", async () => {
  const answer = await send("GET", `logged-models/m-${"0".repeat(32)}`);
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
});

test("models that a run made and was given are shown with it, each once", async () => {
  const run_id = await newRun();
  const [one, two] = [await newModel(), await newModel()];
  for (const models of [[{ model_id: one, step: 3 }], [{ model_id: two }, { model_id: one, step: 3 }]])
    expect((await call("runs/outputs", { run_id, models })).body).toEqual({});
  await call("runs/log-inputs", { run_id, datasets: [], models: [{ model_id: two }] });
  const { inputs, outputs } = await runOf(run_id);
  expect(outputs).toEqual({
    model_outputs: [
      { model_id: one, step: 3 },
      { model_id: two, step: 0 },
    ],
  });
  expect(inputs).toEqual({ model_inputs: [{ model_id: two }] });
});

test("points that come again with a model are the model's as well, and the run's once", async () => {
  const run_id = await newRun();
  const [one, two] = [await newModel(), await newModel()];
  const point = { key: "loss", value: 0.5, timestamp: 1_000, step: 2 };
  const set = { dataset_name: "iris", dataset_digest: "5f1a" };
  await call("runs/log-metric", { run_id, ...point });
  await call("runs/log-batch", { run_id, metrics: [{ ...point, model_id: one }] });
  await call("runs/log-batch", { run_id, metrics: [{ ...point, model_id: two, ...set }] });
  await call("runs/log-metric", { run_id, ...point, model_id: two, ...set });
  expect((await runOf(run_id)).data.metrics).toEqual([point]);
  expect((await modelOf(one)).data.metrics).toEqual([{ ...point, model_id: one, run_id }]);
  expect((await modelOf(two)).data.metrics).toEqual([{ ...point, ...set, model_id: two, run_id }]);
  const { n } = (await env.DB.prepare(
    `select count(*) as n from ${POINTS} p join streams s on s.id = p.stream_id where s.key = ?1`,
  )
    .bind(run_id)
    .first<{ n: number }>()) ?? { n: 0 };
  expect(n).toBe(1);
});

test("models are searched by what was said of them a moment ago, whatever MLflow does", async () => {
  const { body } = await call("experiments/create", { name: `models-${crypto.randomUUID()}` });
  const { experiment_id } = body;
  const run_id = await newRun({ experiment_id });
  const of = (more: object) => newModel({ experiment_id, ...more });
  const one = await of({ name: "one", params: [pair("depth", "1")], source_run_id: run_id });
  const two = await of({ name: "two", tags: [pair("best", "yes")] });
  const point = (value: number, step: number) => ({ key: "loss", value, timestamp: step, step });
  const set = { dataset_name: "iris", dataset_digest: "5f" };
  const metrics = [
    { ...point(0.9, 1), model_id: one },
    { ...point(0.1, 2), model_id: one },
    { ...point(0.5, 1), model_id: two, ...set },
  ];
  await call("runs/log-batch", { run_id, metrics });
  const found = async (more: object) => {
    const answer = await call("logged-models/search", { experiment_ids: [experiment_id], ...more });
    expect(answer.headers.get("x-relay-partial")).toBe("true");
    const { models = [] }: { models?: { info: { model_id: string } }[] } = answer.body;
    return models.map(({ info }) => (info.model_id === one ? 1 : info.model_id === two ? 2 : info.model_id));
  };
  const byLoss = (ascending: boolean) => [{ field_name: "metrics.loss", ascending }];
  expect(await found({ filter: "metrics.loss > 0.8" })).toEqual([1]);
  expect(await found({ filter: "tags.best = 'yes' AND name LIKE 't%'" })).toEqual([2]);
  expect(await found({ filter: `params.depth = '1' AND source_run_id = '${run_id}'` })).toEqual([1]);
  expect(await found({ datasets: [{ dataset_name: "iris" }] })).toEqual([2]);
  expect(await found({ order_by: byLoss(true) })).toEqual([1, 2]);
  expect(await found({ order_by: byLoss(false) })).toEqual([2, 1]);
  expect(await found({ order_by: [{ field_name: "name", ascending: false }], max_results: 1 })).toEqual([2]);
  await send("DELETE", `logged-models/${two}`);
  expect(await found({})).toEqual([1]);
});

test.each([
  ["no experiment", { experiment_ids: [] }, 200],
  ["none named", {}, 400],
  ["an unknown field to sort by", { experiment_ids: ["0"], order_by: [{ field_name: "params.a" }] }, 400],
  ["a filter that is none", { experiment_ids: ["0"], filter: "name OR 1" }, 400],
  ["a dataset without a name", { experiment_ids: ["0"], datasets: [{ dataset_digest: "5" }] }, 400],
])("a search of %s is answered as by MLflow", async (_, body, status) => {
  expect((await call("logged-models/search", body)).status).toBe(status);
});

test("what is said of models by a deleted run is refused whole", async () => {
  const run_id = await newRun();
  const model_id = await newModel();
  await call("runs/delete", { run_id });
  const point = { key: "loss", value: 1, timestamp: 1, step: 0, model_id };
  expect((await call("runs/log-batch", { run_id, metrics: [point] })).status).toBe(400);
  expect((await call("runs/outputs", { run_id, models: [{ model_id }] })).status).toBe(400);
  expect((await modelOf(model_id)).data).toEqual({});
  expect((await runOf(run_id)).outputs).toEqual({});
});

test("a tag of a model is taken away though the database's answer to that is lost", async () => {
  const id = await newModel({ tags: [pair("a", "1")] });
  const { db, losses } = losing({
    isLost: (n) => n === 0,
    when: "after",
    among: /update gateway_models set tags/,
  });
  const untag = () => send("DELETE", `logged-models/${id}/tags/a`, undefined, { bindings: { DB: db } });
  const { status, body } = await untag();
  expect([losses(), status, body]).toEqual([1, 200, {}]);
  expect((await untag()).status).toBe(404);
});
