import { env } from "cloudflare:workers";
import { afterEach, beforeAll, expect, it, test, vi } from "vitest";
import { call, newRun, read } from "./gateway-api.ts";

/** A request of an MLflow client about as many logged models as it may name. */

const MODELS = 1_000;
const ids = Array.from({ length: MODELS }, (_, n) => `m-${(n + 1).toString(16).padStart(32, "0")}`);

beforeAll(async () => {
  await read("experiments/get", { experiment_id: "0" });
  await env.DB.prepare(
    `insert into gateway_models (id, artifact_uri, experiment_id, name, model_type, created_time, updated_time, touched_at)
     select value, 'mlflow-artifacts:/0/models', '0', 'tree', '', 1, 1, 1 from json_each(?1)`,
  )
    .bind(JSON.stringify(ids))
    .run();
});

afterEach(() => vi.unstubAllGlobals());

const asked: Record<string, (run_id: string) => object> = {
  "runs/log-batch": (run_id) => ({
    run_id,
    metrics: ids.map((model_id) => ({ key: "loss", value: 1, timestamp: 1, step: 1, model_id })),
  }),
  "runs/log-inputs": (run_id) => ({ run_id, models: ids.map((model_id) => ({ model_id })) }),
  "runs/outputs": (run_id) => ({ run_id, models: ids.map((model_id) => ({ model_id, step: 1 })) }),
};

it.each(Object.entries(asked))("%s is kept with a thousand models", async (path, body) => {
  const run_id = await newRun();
  const { status, body: answer } = await call(path, body(run_id));
  expect([status, answer]).toEqual([200, {}]);
});

test("their messages wait for a slow queue together, not one after the other", async () => {
  const run_id = await newRun();
  const sizes: number[] = [];
  const all = Promise.withResolvers<void>();
  const later = async (count: number) => {
    sizes.push(count);
    if (sizes.length === MODELS / 100) all.resolve();
    await all.promise;
  };
  const TRIALS = { send: () => later(1), sendBatch: (messages: unknown[]) => later(messages.length) };
  const warned = vi.spyOn(console, "warn");
  const { status } = await call("runs/log-batch", asked["runs/log-batch"]?.(run_id), {
    bindings: { TRIALS },
  });
  expect(status).toBe(200);
  expect(sizes).toEqual(Array.from({ length: MODELS / 100 }, () => 100));
  expect(warned).not.toHaveBeenCalled();
});

const SORTED = 600;
const STEPS = 100;

test("models are sorted by a metric however many points they have together", async () => {
  const { experiment_id } = (await call("experiments/create", { name: "many points" })).body;
  const run_id = await newRun({ experiment_id });
  const best = `m-${"f".repeat(32)}`;
  const sorted = [...ids.slice(1, SORTED).map((id) => id.replace("m-000", "m-abc")), best];
  await env.DB.batch([
    env.DB.prepare(
      `insert into gateway_models (id, artifact_uri, experiment_id, name, model_type, created_time, updated_time, touched_at)
       select value, 'mlflow-artifacts:/0/models', ?2, 'tree', '', 1, 1, 1 from json_each(?1)`,
    ).bind(JSON.stringify(sorted), experiment_id),
    env.DB.prepare(
      `with recursive steps(n) as (select 1 union all select n + 1 from steps where n < ${STEPS})
       insert into gateway_model_points (model_id, key, timestamp, step, stream_id, seq, value)
       select model.value, 'accuracy', n, n, (select id from streams where key = ?2), 1, model.key
       from json_each(?1) model, steps`,
    ).bind(JSON.stringify(sorted), run_id),
  ]);
  const order_by = [{ field_name: "metrics.accuracy", ascending: false }];
  const found = await call("logged-models/search", {
    experiment_ids: [experiment_id],
    order_by,
    max_results: 2,
  });
  expect(found.status).toBe(200);
  expect(found.body.models.map(({ info }: { info: { model_id: string } }) => info.model_id)).toEqual([
    best,
    sorted.at(-2),
  ]);
});

test("a page of models ends where there are more points than are shown at once", async () => {
  const { body } = await call("experiments/search", { filter: "name = 'many points'", max_results: 1 });
  const experiment_ids = [body.experiments[0].experiment_id];
  const points: number[] = [];
  for (let page_token = ""; ; ) {
    const { body: page } = await call("logged-models/search", {
      experiment_ids,
      max_results: 550,
      page_token,
    });
    points.push(...page.models.map(({ data }: { data: { metrics?: object[] } }) => data.metrics?.length));
    page_token = page.next_page_token;
    if (page_token === undefined) break;
  }
  expect(points).toEqual(Array.from({ length: SORTED }, () => STEPS));
});

it.each([
  [499, null],
  [501, "true"],
])("a search says whether MLflow has more models than were looked at: of %i", async (count, said) => {
  const theirs = Array.from({ length: count }, (_, n) => ({
    info: { model_id: `m-e${(n + 1).toString(16).padStart(31, "0")}`, creation_timestamp_ms: count - n },
  }));
  vi.stubGlobal("fetch", async (_: string, { body }: { body: string }) => {
    const { page_token = "0", max_results } = JSON.parse(body);
    const end = Number(page_token) + max_results;
    const models = theirs.slice(Number(page_token), end);
    return Response.json({ models, ...(end < count ? { next_page_token: String(end) } : {}) });
  });
  const { experiment_id } = (await call("experiments/create", { name: `theirs ${count}` })).body;
  const asked = { experiment_ids: [experiment_id], max_results: 1_000 };
  const found = await call("logged-models/search", asked, {
    bindings: { MLFLOW_TRACKING_URI: "http://mlflow.test" },
  });
  expect([found.body.models.length, found.headers.get("x-relay-partial")]).toEqual([
    Math.min(count, 500),
    said,
  ]);
});

test("a search says that not all models were sorted", async () => {
  const { experiment_id } = (await call("experiments/create", { name: "not all sorted" })).body;
  await env.DB.prepare(
    `with recursive one(n) as (select 1 union all select n + 1 from one where n < 2001)
     insert into gateway_models (id, artifact_uri, experiment_id, name, model_type, created_time, updated_time, touched_at)
     select 'm-' || lower(hex(randomblob(16))), 'mlflow-artifacts:/0/models', ?1, n, '', n, n, 1 from one`,
  )
    .bind(experiment_id)
    .run();
  vi.stubGlobal("fetch", async () => Response.json({}));
  const search = async (field_name: string) => {
    const asked = { experiment_ids: [experiment_id], order_by: [{ field_name, ascending: false }] };
    const UP = { bindings: { MLFLOW_TRACKING_URI: "http://mlflow.test" } };
    return (await call("logged-models/search", asked, UP)).headers.get("x-relay-partial");
  };
  expect([await search("creation_time"), await search("name")]).toEqual([null, "true"]);
});
