import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { runAnswer } from "../../src/gateway/answers/run.ts";
import { getRun } from "../../src/gateway/get-run.ts";
import { logParameter, setTag } from "../../src/gateway/log.ts";
import { setRunLifecycle } from "../../src/gateway/runs.ts";
import type { Deps } from "../../src/relay/deps.ts";
import { runJustMade } from "../../src/store/gateway/runs.ts";
import { idOf, post } from "./api.ts";
import { call, dataOf, newRun, read, runOf } from "./gateway-api.ts";
import { emptied, gatewayWorld } from "./gateway-world.ts";
import { metered } from "./metered.ts";
import { mortal } from "./mortal.ts";
import { trialComplete, trialStart } from "./payloads.ts";

/** A run that others had first, at its first writes through the gateway. */

beforeEach(emptied);
afterEach(() => vi.unstubAllGlobals());

const UP = { bindings: { MLFLOW_TRACKING_URI: "http://mlflow.test" } };

const pairs = (prefix: string, count: number, value: string) =>
  Array.from({ length: count }, (_, n) => ({ key: `${prefix}${n}`, value }));

async function runInMlflow(w: ReturnType<typeof gatewayWorld>, more: { params?: number } = {}) {
  const made = await w.deps.writes.createRun({
    experimentId: "0",
    runName: "theirs",
    startTime: 1_000,
    userId: "ann",
    tags: [{ key: "a", value: "1" }],
  });
  if (!made.ok) throw new Error(made.failure.message);
  const { runId } = made.value.info;
  const run = w.mlflow.runs.get(runId);
  for (const { key, value } of pairs("p", more.params ?? 0, "\u{1f600}".repeat(6_000)))
    run?.params.set(key, value);
  return runId;
}

test("one that is deleted by the first of two writes stays so, whatever the other saw of it before", async () => {
  const w = gatewayWorld();
  const runId = await runInMlflow(w);
  const late: Deps = {
    ...w.deps,
    mlflow: {
      ...w.deps.mlflow,
      getRun: async (id) => {
        const seen = await w.deps.mlflow.getRun(id);
        await setRunLifecycle(w.deps, id, "deleted");
        return seen;
      },
    },
  };
  await expect(setTag(late, { runId, key: "b", value: "2" })).rejects.toThrow("Current state is deleted");
  expect((await runOf(runId)).info.lifecycle_stage).toBe("deleted");
});

test("one that holds more than an event can is taken up whole", async () => {
  const w = gatewayWorld();
  const runId = await runInMlflow(w, { params: 150 });
  await logParameter(w.deps, { runId, key: "mine", value: "1" });
  const params = await dataOf(runId, "params");
  expect(Object.keys(params)).toHaveLength(151);
  await expect(logParameter(w.deps, { runId, key: "p149", value: "other" })).rejects.toThrow("p149");
});

test("what it was given and made is shown before it is taken up, and stays", async () => {
  const w = gatewayWorld();
  const runId = await runInMlflow(w);
  const dataset = {
    name: "iris",
    digest: "5f",
    source_type: "code",
    source: "{}",
    schema: "{}",
    profile: "{}",
  };
  const use = (value: string) => ({ tags: [{ key: "mlflow.data.context", value }], dataset });
  const given = {
    inputs: { dataset_inputs: [use("train")], model_inputs: [{ model_id: "m-1" }] },
    outputs: { model_outputs: [{ model_id: "m-2", step: 3 }] },
  };
  const run = w.mlflow.runs.get(runId);
  if (run) run.given = given;
  expect(runAnswer(await getRun(w.deps, runId)).run).toMatchObject(given);
  await setTag(w.deps, { runId, key: "b", value: "2" });
  expect(await runOf(runId)).toMatchObject(given);
  await call("runs/log-inputs", { run_id: runId, datasets: [use("test")] });
  expect(await runOf(runId)).toMatchObject(given);
});

test("a trial ends as its trainer says, at whichever round trip of being taken up that comes", async () => {
  const w = gatewayWorld();
  let trips = 1;
  for (let trip = 0; trip < trips; trip++) {
    const trial = { trial_id: `taken-${trip}`, mlflow_run_id: null };
    await post({ ...trialStart, ...trial });
    const runId = await idOf(trial.trial_id);
    const { db, state } = mortal(env.DB, { trip, moment: "before", sleeps: true }, async () => {
      await post({ ...trialComplete, ...trial });
    });
    await setTag({ ...w.deps, db }, { runId, key: "b", value: "2" });
    trips = state.trips;
    const { info } = await runOf(runId);
    expect({ trip, status: info.status, ends: info.end_time > 0 }).toEqual({
      trip,
      status: "FINISHED",
      ends: true,
    });
  }
  expect(trips).toBeGreaterThan(2);
});

test("trials whose experiment nobody made before may be first written to at the same time", async () => {
  const names = ["first", "second", "third"];
  await post(names.map((trial_id) => ({ ...trialStart, model_run_id: "side by side", trial_id })));
  const ids = await Promise.all(names.map(idOf));
  const answers = await Promise.all(
    ids.map((run_id) => call("runs/log-metric", { run_id, key: "loss", value: 1, timestamp: 1 })),
  );
  expect(answers.map(({ status, body }) => [status, body])).toEqual(ids.map(() => [200, {}]));
  const experiments = await Promise.all(ids.map(async (id) => (await runOf(id)).info.experiment_id));
  expect(new Set(experiments).size).toBe(1);
});

test("a trial that a client writes to before it has its run gets the run that it would have had", async () => {
  const w = gatewayWorld({ RELAY_ANNOUNCE_GRACE_SECONDS: "0", RELAY_PARENT_RUNS: "false" });
  const trial_id = "early";
  await post({ ...trialStart, model_run_id: "written early", trial_id, mlflow_run_id: null });
  const run_id = await idOf(trial_id);
  await call("runs/log-metric", { run_id, key: "loss", value: 1, timestamp: 1 });
  for (let n = 0; n < 4 && w.mlflow.runs.size === 0; n++) {
    w.pass(60_000);
    await w.turn(run_id);
  }
  const made = [...w.mlflow.runs.values()].map(({ name, tags, metrics }) => ({
    name,
    tags: [tags.get("thunderline_model_run_id"), tags.get("thunderline_trial_id")],
    points: metrics.filter(({ key }) => key === "loss").length,
  }));
  expect(made).toEqual([{ name: trial_id, tags: ["written early", trial_id], points: 1 }]);
});

/** A run of ours that MLflow has made, though nobody heard under which id: that id. */
async function unheard(w: ReturnType<typeof gatewayWorld>, id: string): Promise<string> {
  w.mlflow.trouble = (endpoint) => (endpoint === "runs/create" ? "unanswered" : null);
  await w.turn(id);
  w.mlflow.trouble = () => null;
  vi.stubGlobal("fetch", w.mlflow.fetch);
  const [theirs = ""] = w.mlflow.runs.keys();
  expect((await call("runs/log-metric", { run_id: id, key: "before", value: 1, timestamp: 1 })).status).toBe(
    200,
  );
  return theirs;
}

describe("a run that MLflow has just made is the same by the id that it has there, before that is known here", () => {
  test("as it is shown, and written to", async () => {
    const w = gatewayWorld();
    const experiment_id = await w.experiment("just made");
    const run_id = await newRun({ experiment_id });
    await runOf(run_id);
    const theirs = await unheard(w, run_id);
    const { info } = (await read("runs/get", { run_id: theirs }, UP)).body.run;
    expect(info).toMatchObject({ run_id, experiment_id });
    const said = await call("runs/log-metric", { run_id: theirs, key: "after", value: 2, timestamp: 2 }, UP);
    expect(said.body).toEqual({});
    expect(Object.keys(await dataOf(run_id, "metrics"))).toEqual(["after", "before"]);
    expect(await w.deliver()).toBe(true);
    const keys = w.mlflow.runs.get(theirs)?.metrics.map(({ key }) => key);
    expect([w.mlflow.runs.size, keys?.toSorted()]).toEqual([1, ["after", "before"]]);
  });

  test("of a trial too", async () => {
    const w = gatewayWorld({ RELAY_ANNOUNCE_GRACE_SECONDS: "0", RELAY_PARENT_RUNS: "false" });
    const { mlflow_run_id: _, ...start } = trialStart;
    await post({ ...start, model_run_id: "just made", trial_id: "just-made" });
    const id = await idOf("just-made");
    w.own.push(
      (await call("experiments/create", { name: w.deps.config.defaultExperiment })).body.experiment_id,
    );
    const theirs = await unheard(w, id);
    const said = await call("runs/log-metric", { run_id: theirs, key: "after", value: 2, timestamp: 2 }, UP);
    expect(said.body).toEqual({});
    expect(Object.keys(await dataOf(id, "metrics"))).toEqual(["after", "before"]);
  });
});

test("a copy of a run in MLflow, with all its tags, is another run, though more is on its way to the first one", async () => {
  const w = gatewayWorld();
  const run_id = await newRun({ experiment_id: await w.experiment("copied") });
  await runOf(run_id);
  expect(await w.deliver()).toBe(true);
  const [first] = w.mlflow.runs.values();
  const tags = [...(first?.tags ?? [])].map(([key, value]) => ({ key, value }));
  await call("runs/log-metric", { run_id, key: "loss", value: 1, timestamp: 1 });
  const copy = await w.deps.writes.createRun({
    experimentId: "0",
    runName: "a copy",
    startTime: 1_000,
    userId: "ann",
    tags,
  });
  if (!copy.ok) throw new Error(copy.failure.message);
  vi.stubGlobal("fetch", w.mlflow.fetch);
  const { info } = (await read("runs/get", { run_id: copy.value.info.runId }, UP)).body.run;
  expect(info).toMatchObject({ run_id: copy.value.info.runId, run_name: "a copy" });
});

test("whether a run was just made is not looked for among all that ever were", async () => {
  await env.DB.prepare(
    `insert into streams (key, kind, trial_id, created_at, updated_at, create_nonce, mlflow_run_id)
     with recursive n (n) as (select 1 union all select n + 1 from n where n < 5000)
     select 'over-' || n, 'trial', 'over-' || n, 1, 1, 'of-' || n, 'run-' || n from n`,
  ).run();
  await env.DB.prepare(
    "update streams set warm = key = 'over-7', mlflow_run_id = iif(key = 'over-7', null, mlflow_run_id)",
  ).run();
  const { db, meter } = metered(env.DB);
  const found = async (nonce: string, mlflowRunId: string) =>
    (await runJustMade(db, { nonce, mlflowRunId }))?.key ?? null;
  expect(await found("of-1", "run-1")).toBe("over-1");
  expect(await found("of-7", "not known yet")).toBe("over-7");
  expect(await found("of-1", "not known yet")).toBeNull();
  expect(meter.rowsRead).toBeLessThan(50);
});
