import { env } from "cloudflare:workers";
import { beforeAll, expect, it, test, vi } from "vitest";
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
