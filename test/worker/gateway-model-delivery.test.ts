import { env } from "cloudflare:workers";
import { beforeEach, expect, test } from "vitest";
import { deliverModel } from "../../src/relay/delivery/deliver-model.ts";
import type { Deps } from "../../src/relay/deps.ts";
import { wake } from "../../src/relay/stream/wake.ts";
import type { Trouble } from "./fake-mlflow.ts";
import { call, newRun } from "./gateway-api.ts";
import { send } from "./gateway-models-api.ts";
import { emptied, gatewayWorld } from "./gateway-world.ts";
import { type Death, mortal } from "./mortal.ts";

/**
 * Logged models on their way to MLflow. Whoever brings them may die at any round trip to the database, and any answer of
 * MLflow may be lost: there is one model in the end, with all that was said of it once.
 */

const AT_ONCE = 4;
/** One in two, by turns before it and after it. */
const STRIDE = 2;

beforeEach(emptied);

const pair = (key: string, value: string) => ({ key, value });

async function newModel(experiment_id: string, more: object = {}): Promise<string> {
  const { status, body } = await call("logged-models", { experiment_id, name: "tree", ...more });
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body.model.info.model_id;
}

type Cut = { nth: number; trouble: Trouble };

async function brought(death: Death | null, cut: Cut | null = null) {
  const w = gatewayWorld();
  const experiment_id = await w.experiment();
  const run_id = await newRun({ experiment_id, run_name: "maker" });
  const model_id = await newModel(experiment_id, {
    source_run_id: run_id,
    params: [pair("depth", "3")],
    tags: [pair("a", "1"), pair("b", "1")],
  });
  let calls = 0;
  w.mlflow.trouble = () => (cut !== null && calls++ === cut.nth ? cut.trouble : null);
  const { db, state } = mortal(env.DB, death, async () => {});
  let deps: Deps = { ...w.mlflow.deps({ DB: db }), now: w.deps.now };
  const point = (step: number) => ({ key: "loss", value: 1 / step, timestamp: step, step });
  const course: (() => Promise<unknown>)[][] = [
    [
      () => call("runs/log-metric", { run_id, ...point(1) }),
      () => call("runs/outputs", { run_id, models: [{ model_id, step: 1 }] }),
      () =>
        call("runs/log-batch", {
          run_id,
          metrics: [
            { ...point(1), model_id },
            { ...point(2), model_id },
          ],
        }),
      () => send("DELETE", `logged-models/${model_id}/tags/b`),
    ],
    [
      () => send("PATCH", `logged-models/${model_id}/tags`, { tags: [pair("a", "2"), pair("c", "3")] }),
      () => send("POST", `logged-models/${model_id}/params`, { model_id, params: [pair("late", "1")] }),
      () => call("runs/log-inputs", { run_id, datasets: [], models: [{ model_id }] }),
      () =>
        call("runs/log-metric", { run_id, ...point(3), model_id, dataset_name: "iris", dataset_digest: "5" }),
      () => send("PATCH", `logged-models/${model_id}`, { model_id, status: "LOGGED_MODEL_READY" }),
    ],
    [() => send("DELETE", `logged-models/${model_id}`)],
  ];
  let isDone = true;
  for (const line of course) {
    for (const say of line) await say();
    isDone = await w.deliver(async (turn) => {
      try {
        await turn(deps);
      } catch {
        deps = w.deps;
      }
      if (death !== null && state.trips > death.trip) deps = w.deps;
    });
  }
  const runs = [...w.mlflow.runs];
  const [theirRun = ""] = runs[0] ?? [];
  const models = [...w.models.byId];
  const [theirs = ""] = models[0] ?? [];
  const plain = (text: string) => text.replace(theirRun, "run").replace(theirs, "model");
  return {
    isDone,
    runs: runs.map(([, run]) => run.metrics.map(({ step }) => step).toSorted()),
    models: models.map(([, model]) => ({
      status: model.status,
      lifecycle: model.lifecycle,
      run: plain(model.sourceRunId ?? ""),
      tags: [...model.tags].filter(([key]) => key !== "relay.model_id"),
      params: [...model.params],
      points: [...model.points.keys()].map(plain).toSorted(),
    })),
    links: [...w.models.links].map(plain).toSorted(),
    costs: { trips: state.trips, calls: w.mlflow.calls.length },
  };
}

type Brought = Awaited<ReturnType<typeof brought>>;

/** Has one after the other go wrong; each comes to the same end. */
async function atEach(n: number, untroubled: Brought, troubled: (nth: number) => Promise<Brought>) {
  const all = Array.from({ length: n }, (_, nth) => nth);
  for (let from = 0; from < all.length; from += AT_ONCE) {
    const some = all.slice(from, from + AT_ONCE);
    for (const [i, outcome] of (await Promise.all(some.map(troubled))).entries())
      expect({ nth: some[i], ...outcome, costs: {} }).toEqual({ nth: some[i], ...untroubled, costs: {} });
  }
}

test("an untroubled course ends as it was said", async () => {
  expect(await brought(null)).toMatchObject({
    isDone: true,
    runs: [[1, 2, 3]],
    models: [
      {
        status: "LOGGED_MODEL_READY",
        lifecycle: "deleted",
        run: "run",
        tags: [
          ["a", "2"],
          ["c", "3"],
        ],
        params: [
          ["depth", "3"],
          ["late", "1"],
        ],
        points: ["loss 1 1 run ", "loss 2 2 run ", "loss 3 3 run iris"],
      },
    ],
    links: ["input run model 0", "output run model 1"],
  });
});

test("an isolate that dies at a round trip to the database, wherever, makes no second model and loses nothing", async () => {
  const untroubled = await brought(null);
  await atEach(Math.floor(untroubled.costs.trips / STRIDE), untroubled, (n) =>
    brought({ trip: n * STRIDE, moment: n % 2 === 0 ? "before" : "after" }),
  );
});

test.each(["unanswered", "refused", "late", "errs"] as const)(
  "any one call to MLflow may go wrong: %s",
  async (trouble) => {
    const untroubled = await brought(null);
    await atEach(untroubled.costs.calls, untroubled, (nth) => brought(null, { nth, trouble }));
  },
);

test("a model whose maker never heard of it is not brought, and one of which it asked again is", async () => {
  const w = gatewayWorld();
  const experiment_id = await w.experiment();
  const [ghost, used] = [await newModel(experiment_id), await newModel(experiment_id)];
  await send("PATCH", `logged-models/${used}`, { model_id: used, status: "LOGGED_MODEL_READY" });
  await w.deliver();
  expect([...w.models.byId.values()].map(({ status }) => status)).toEqual(["LOGGED_MODEL_READY"]);
  w.pass(20 * 60_000);
  await w.later();
  await deliverModel(w.deps, ghost);
  await w.deliver();
  expect(w.models.byId.size).toBe(1);
  const found = await call("logged-models/search", { experiment_ids: [experiment_id] });
  expect(found.body.models.map(({ info }: { info: { model_id: string } }) => info.model_id)).toEqual([used]);
  await send("GET", `logged-models/${ghost}`);
  await w.deliver();
  expect(w.models.byId.size).toBe(2);
});

test("models of one name go to MLflow in the order in which their run made them", async () => {
  const w = gatewayWorld();
  const experiment_id = await w.experiment();
  const run_id = await newRun({ experiment_id });
  const ids: string[] = [];
  for (let n = 0; n < 3; n++) {
    const id = await newModel(experiment_id, { source_run_id: run_id, params: [pair("n", String(n))] });
    await send("PATCH", `logged-models/${id}`, { model_id: id, status: "LOGGED_MODEL_READY" });
    ids.push(id);
  }
  expect(await w.deliver()).toBe(true);
  expect([...w.models.byId.values()].map(({ tags }) => tags.get("relay.model_id"))).toEqual(ids);
});

test("while the breaker is open a model waits for it", async () => {
  const w = gatewayWorld({ RELAY_BREAKER_FAILURES: "1" });
  const experiment_id = await w.experiment();
  const id = await newModel(experiment_id);
  await send("GET", `logged-models/${id}`);
  await w.deliver();
  await openBreaker();
  const before = w.mlflow.calls.length;
  await send("PATCH", `logged-models/${id}`, { model_id: id, status: "LOGGED_MODEL_READY" });
  await deliverModel({ ...w.deps, ...w.mlflow.deps() }, id);
  expect(w.mlflow.calls.length).toBe(before);
  await env.DB.prepare("delete from breakers").run();
  expect(await gatewayWorldDelivers(w, id)).toBe("LOGGED_MODEL_READY");
});

test("while the breaker is open a model whose run is not there either waits without a message, and is woken", async () => {
  const w = gatewayWorld();
  const experiment_id = await w.experiment();
  const source_run_id = await newRun({ experiment_id });
  const id = await newModel(experiment_id, { source_run_id });
  await send("GET", `logged-models/${id}`);
  await openBreaker();
  await deliverModel(w.deps, id);
  expect(w.messages()).not.toContainEqual({ kind: "model", id });
  await env.DB.prepare("delete from breakers").run();
  await wake(w.deps);
  expect(w.messages()).toContainEqual({ kind: "model", id });
});

test("a call that opens the breaker and may still land is looked for once it cannot any more", async () => {
  const w = gatewayWorld({ RELAY_BREAKER_FAILURES: "1" });
  const experiment_id = await w.experiment();
  const id = await newModel(experiment_id);
  await w.deliver();
  await send("GET", `logged-models/${id}`);
  w.mlflow.trouble = (endpoint) => (endpoint === "logged-models" ? "unanswered" : null);
  await w.later();
  const before = w.messages().length;
  await deliverModel(w.deps, id);
  const opened = await env.DB.prepare("select state from breakers").first("state");
  await env.DB.prepare("delete from breakers").run();
  expect(opened).toBe("open");
  expect(w.messages().slice(before)).toContainEqual({ kind: "model", id });
});

test("the longer a model waits for its run, the more seldom it is looked at", async () => {
  const w = gatewayWorld({ RELAY_RETRY_BASE_MS: "1000", RELAY_RETRY_MAX_MS: "60000" });
  const deps = { ...w.deps, random: () => 1 };
  const experiment_id = await w.experiment();
  const source_run_id = await newRun({ experiment_id });
  const id = await newModel(experiment_id, { source_run_id });
  await send("GET", `logged-models/${id}`);
  const waits: number[] = [];
  for (let n = 0; n < 8; n++) {
    await w.later();
    await deliverModel(deps, id);
    const query = "select next_attempt_at from gateway_models where id = ?1";
    const at = (await env.DB.prepare(query).bind(id).first<number>("next_attempt_at")) ?? 0;
    waits.push(Math.round((at - Date.now()) / 1000));
  }
  expect(waits).toEqual([2, 2, 4, 8, 16, 32, 60, 60]);
});

async function openBreaker(): Promise<void> {
  await env.DB.prepare(
    `insert or replace into breakers (server, state, failures, probe_at, last_error, updated_at)
     values ('http://mlflow.test', 'open', 5, 0, 'no route to host', 0)`,
  ).run();
}

async function gatewayWorldDelivers(
  w: ReturnType<typeof gatewayWorld>,
  id: string,
): Promise<string | undefined> {
  await w.later();
  await deliverModel(w.mlflow.deps(), id);
  return [...w.models.byId.values()][0]?.status;
}
