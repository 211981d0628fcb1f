import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { FAULTS } from "../lib/fault-proxy.ts";
import { type Lab, openLab, UNANNOUNCED } from "./lab.ts";

/** What clients wrote through the gateway, as a real MLflow has it in the end, and what of it comes back. */

let lab: Lab;
let count = 0;
beforeAll(async () => {
  lab = await openLab(UNANNOUNCED);
});
afterAll(() => lab?.close());
afterEach(() => lab?.proxy.heal());

type Ask = (path: string, init?: { method?: string; body?: string }) => Promise<Response>;
// biome-ignore lint/suspicious/noExplicitAny: answers are looked into freely, as a client in another language would.
type Answer = { status: number; body: any };

function client(ask: Ask) {
  const answered = async (response: Promise<Response>): Promise<Answer> => {
    const { status, ...rest } = await response.then(async (one) => ({
      status: one.status,
      body: await one.json(),
    }));
    return { status, ...rest };
  };
  const post = (path: string, body: object) =>
    answered(ask(`/api/2.0/mlflow/${path}`, { method: "POST", body: JSON.stringify(body) }));
  const get = (path: string, query: Record<string, string>) =>
    answered(ask(`/api/2.0/mlflow/${path}?${new URLSearchParams(query)}`));
  const run = async (run_id: string) => {
    const { info, data } = (await get("runs/get", { run_id })).body.run;
    const pairs = (kind: string) =>
      Object.fromEntries(
        (data[kind] ?? []).map(({ key, value }: { key: string; value: unknown }) => [key, value]),
      );
    return { info, params: pairs("params"), tags: pairs("tags"), metrics: pairs("metrics") };
  };
  return {
    post,
    get,
    run,
    made: async (path: string, body: object) => {
      const { status, body: answer } = await post(path, body);
      if (status !== 200) throw new Error(`${path} ${status}: ${JSON.stringify(answer)}`);
      return answer;
    },
    newRun: async (body: object): Promise<string> =>
      (await post("runs/create", { start_time: 1, ...body })).body.run.info.run_id,
    newExperiment: async (name: string, more: object = {}): Promise<string> =>
      (await post("experiments/create", { name, ...more })).body.experiment_id,
    points: async (run_id: string, metric_key: string) =>
      ((await get("metrics/get-history", { run_id, metric_key, max_results: "25000" })).body.metrics ?? [])
        .map(({ step, value }: { step: number; value: number }) => `${step}: ${value}`)
        .toSorted(),
  };
}

const relay = client((path, init) => lab.relay.fetch(path, init));
const mlflow = client((path, init = {}) =>
  fetch(`${lab.trackingUri}${path}`, { ...init, headers: { "content-type": "application/json" } }),
);

const name = (what: string) => `${what} ${++count}`;
const log = (run_id: string, step: number, key = "loss") =>
  relay.made("runs/log-metric", { run_id, key, value: step / 2, timestamp: 1_000 + step, step });

/** MLflow's id of a run, once it has all that was said of it. */
async function delivered(runId: string): Promise<string> {
  let mlflowId = "";
  await lab.relay.until(`${runId} is delivered`, async () => {
    const { body } = await lab.relay.get(`/api/trials/${runId}`);
    mlflowId = String(body.mlflow_run_id);
    return body.sync_state === "synced";
  });
  return mlflowId;
}

/** MLflow's experiment of this name. */
async function experimentThere(experiment_name: string) {
  return (await mlflow.get("experiments/get-by-name", { experiment_name })).body.experiment;
}

test("a run with its parent, parameters, metrics, tags, inputs of every kind of time and its end is the same in MLflow", async () => {
  const experiment_id = await relay.newExperiment(name("whole"));
  const parent = await relay.newRun({ experiment_id, run_name: "above" });
  const run_id = await relay.newRun({
    experiment_id,
    user_id: "ann",
    run_name: "below",
    tags: [{ key: "mlflow.parentRunId", value: parent }],
  });
  await relay.made("runs/log-batch", {
    run_id,
    params: [{ key: "lr", value: "1e-3" }],
    tags: [
      { key: "k", value: "v" },
      { key: "gone", value: "x" },
    ],
    metrics: [
      { key: "m", value: "NaN", timestamp: 0, step: 0 },
      { key: "m", value: 1, timestamp: 9_007_199_254_740_991, step: -9_007_199_254_740_991 },
      { key: "m", value: 5e-324, timestamp: 1, step: 9_007_199_254_740_991 },
      { key: "m", value: "-Infinity", timestamp: 2, step: 1 },
      { key: "m", value: -0, timestamp: 3, step: 1 },
    ],
  });
  await relay.made("runs/delete-tag", { run_id, key: "gone" });
  await relay.made("runs/update", { run_id, status: "FINISHED", end_time: 5_000 });
  const there = await mlflow.run(await delivered(run_id));
  const here = await relay.run(run_id);
  expect(there.info).toMatchObject({
    run_name: "below",
    user_id: "ann",
    status: "FINISHED",
    start_time: 1,
    end_time: 5_000,
  });
  expect(there.params).toEqual({ lr: "1e-3" });
  expect(there.tags).toMatchObject({ k: "v", "mlflow.parentRunId": await delivered(parent) });
  expect(there.tags).not.toHaveProperty("gone");
  expect(here.tags).toMatchObject({ k: "v", "mlflow.parentRunId": parent });
  const bounded = (points: string[]) =>
    points.map((point) => point.replace("-Infinity", "-1.7976931348623157e+308")).toSorted();
  expect(await mlflow.points(there.info.run_id, "m")).toEqual(bounded(await relay.points(run_id, "m")));
});

test("a tag that is set and deleted two hundred times by two connections is in the end as the gateway shows it", async () => {
  const run_id = await relay.newRun({ experiment_id: await relay.newExperiment(name("to and fro")) });
  const one = async (start: number) => {
    for (let n = start; n < 200; n += 2)
      await (n % 3 === 0
        ? relay.post("runs/delete-tag", { run_id, key: "t" })
        : relay.made("runs/set-tag", { run_id, key: "t", value: String(n) }));
  };
  await Promise.all([one(0), one(1)]);
  const there = await mlflow.run(await delivered(run_id));
  expect(there.tags.t).toEqual((await relay.run(run_id)).tags.t);
});

test("a run that is FINISHED, FAILED and RUNNING again in one moment runs, with the end that it had", async () => {
  const run_id = await relay.newRun({ experiment_id: await relay.newExperiment(name("again")) });
  for (const update of [{ status: "FINISHED", end_time: 7 }, { status: "FAILED" }, { status: "RUNNING" }])
    await relay.made("runs/update", { run_id, ...update });
  const { info } = await mlflow.run(await delivered(run_id));
  expect((await relay.run(run_id)).info).toMatchObject({ status: "RUNNING", end_time: 7 });
  expect(info.status).toBe("RUNNING");
  await relay.made("runs/update", { run_id, status: "FINISHED", end_time: 9 });
  expect((await mlflow.run(await delivered(run_id))).info).toMatchObject({ status: "FINISHED", end_time: 9 });
});

test("the largest batch that MLflow takes, in characters of three bytes, and ten connections at once", async () => {
  const run_id = await relay.newRun({ experiment_id: await relay.newExperiment(name("large")) });
  const long = "字".repeat(6_000);
  await relay.made("runs/log-batch", {
    run_id,
    params: Array.from({ length: 100 }, (_, i) => ({ key: `p${i}`, value: long })),
    tags: Array.from({ length: 100 }, (_, i) => ({ key: `t${i}`, value: "字".repeat(8_000) })),
    metrics: Array.from({ length: 800 }, (_, step) => ({ key: "m", value: step, timestamp: step, step })),
  });
  await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      relay.made("runs/log-batch", {
        run_id,
        metrics: Array.from({ length: 100 }, (_, step) => ({
          key: `c${n}`,
          value: step,
          timestamp: step,
          step,
        })),
      }),
    ),
  );
  const id = await delivered(run_id);
  const there = await mlflow.run(id);
  expect(there.params).toEqual((await relay.run(run_id)).params);
  expect(Object.keys(there.params)).toHaveLength(100);
  expect(Object.values(there.tags).filter((value) => String(value).length === 8_000)).toHaveLength(100);
  expect(await mlflow.points(id, "m")).toHaveLength(800);
  expect(await mlflow.points(id, "c9")).toHaveLength(100);
});

describe("a run that was made in MLflow", () => {
  const theirs = async () => {
    const experiment_id = await mlflow.newExperiment(name("theirs"));
    const run_id = await mlflow.newRun({ experiment_id, run_name: "first", user_id: "bob" });
    await mlflow.made("runs/log-batch", {
      run_id,
      params: [{ key: "lr", value: "1" }],
      tags: [{ key: "k", value: "theirs" }],
      metrics: [{ key: "loss", value: 9, timestamp: 1, step: 0 }],
    });
    await mlflow.made("runs/update", { run_id, status: "FINISHED", end_time: 4 });
    return { experiment_id, run_id };
  };

  test("goes on through the gateway, ends, and goes on again, with what it had before", async () => {
    const { experiment_id, run_id } = await theirs();
    for (const [n, end_time] of [50, 60].entries()) {
      expect((await relay.run(run_id)).info).toMatchObject({ run_id, experiment_id });
      await relay.made("runs/update", { run_id, status: "RUNNING" });
      await log(run_id, n + 1);
      const conflict = await relay.post("runs/log-parameter", { run_id, key: "lr", value: "2" });
      expect(conflict.body.message).toContain("was already logged with value='1'");
      await relay.made("runs/set-tag", { run_id, key: "k", value: `ours ${n}` });
      await relay.made("runs/update", { run_id, status: "FINISHED", end_time });
      await delivered(run_id);
      const [here, there] = [await relay.run(run_id), await mlflow.run(run_id)];
      expect(there.info).toMatchObject({
        status: "FINISHED",
        end_time,
        start_time: 1,
        user_id: "bob",
        run_name: "first",
      });
      expect(here.info).toMatchObject({
        status: "FINISHED",
        end_time,
        start_time: 1,
        user_id: "bob",
        run_name: "first",
      });
      expect([here.tags.k, there.tags.k]).toEqual([`ours ${n}`, `ours ${n}`]);
      expect(here.params).toEqual({ lr: "1" });
    }
    const points = ["0: 9", "1: 0.5", "2: 1"];
    expect(await mlflow.points(run_id, "loss")).toEqual(points);
    expect(await relay.points(run_id, "loss")).toEqual(points);
    const found = (
      await relay.post("runs/search", { experiment_ids: [experiment_id], filter: "metrics.loss = 1" })
    ).body.runs;
    expect(found).toHaveLength(1);
    expect(await mlflow.post("runs/search", { experiment_ids: [experiment_id] })).toMatchObject({
      body: { runs: [{}] },
    });
  });

  test("has others nested under it, and is nested under others, each by the id that was given first", async () => {
    const { experiment_id, run_id } = await theirs();
    const child = await relay.newRun({ experiment_id, tags: [{ key: "mlflow.parentRunId", value: run_id }] });
    await log(child, 1);
    expect((await mlflow.run(await delivered(child))).tags["mlflow.parentRunId"]).toBe(run_id);
    await relay.made("runs/set-tag", { run_id, key: "mlflow.parentRunId", value: child });
    await delivered(run_id);
    expect((await mlflow.run(run_id)).tags["mlflow.parentRunId"]).toBe(await delivered(child));
    expect((await relay.run(run_id)).tags["mlflow.parentRunId"]).toBe(child);
  });

  test("goes on while MLflow is away, where the relay knows it, by either id", async () => {
    const experiment_id = await relay.newExperiment(name("away"));
    const run_id = await relay.newRun({ experiment_id });
    await log(run_id, 1);
    const mlflowId = await delivered(run_id);
    const { run_id: known } = await theirs();
    await relay.made("runs/set-tag", { run_id: known, key: "x", value: "1" });
    lab.proxy.fail({}, FAULTS.refuse);
    for (const id of [run_id, mlflowId]) {
      expect((await relay.run(id)).info.run_id).toBe(run_id);
      await relay.made("runs/log-metric", {
        run_id: id,
        key: "away",
        value: 1,
        timestamp: 1,
        step: id === run_id ? 1 : 2,
      });
    }
    await log(known, 5);
    lab.proxy.heal();
    await delivered(known);
    expect(await mlflow.points(await delivered(run_id), "away")).toEqual(["1: 1", "2: 1"]);
    expect(await mlflow.points(known, "loss")).toContain("5: 2.5");
  });
});

describe("a trial of the event API", () => {
  const trial = async () => {
    const model_run_id = name("study");
    const of = { model_run_id, trial_id: "t" };
    await lab.relay.send([
      {
        event: "ml.trial.start",
        ...of,
        spectral_norm: true,
        experiment_name: model_run_id,
        parameters: { lr: 0.1 },
      },
      { event: "ml.run.metric", ...of, metric_name: "loss", metric_value: 3, step: 1 },
    ]);
    await lab.relay.delivered(model_run_id);
    const { body } = await lab.relay.get(`/api/trials?model_run_id=${encodeURIComponent(model_run_id)}`);
    const id = String((body.trials as { id: string }[])[0]?.id);
    return { of, model_run_id, id, mlflowId: await delivered(id) };
  };

  test("is read and written through the gateway by its own id and by MLflow's", async () => {
    const { of, id, mlflowId, model_run_id } = await trial();
    for (const asked of [id, mlflowId]) {
      const { info, params } = await relay.run(asked);
      expect(info.run_id).toBe(id);
      expect(params).toEqual({ lr: "0.1" });
    }
    await log(id, 2);
    await log(mlflowId, 3);
    expect((await relay.post("runs/log-parameter", { run_id: id, key: "lr", value: "7" })).status).toBe(400);
    await relay.made("runs/set-tag", { run_id: mlflowId, key: "by", value: "gateway" });
    await relay.made("runs/update", { run_id: id, status: "FAILED", end_time: 77 });
    await delivered(id);
    const there = await mlflow.run(mlflowId);
    expect(there.info).toMatchObject({ status: "FAILED", end_time: 77 });
    expect(there.tags.by).toBe("gateway");
    expect(await mlflow.points(mlflowId, "loss")).toEqual(["1: 3", "2: 1", "3: 1.5"]);
    await lab.relay.send({ event: "ml.run.metric", ...of, metric_name: "loss", metric_value: 4, step: 9 });
    await lab.relay.delivered(model_run_id);
    expect(await relay.points(id, "loss")).toContain("9: 4");
  });

  test("that names a run of the gateway's is another trial, whose claim is a conflict", async () => {
    const run_id = await relay.newRun({ experiment_id: await relay.newExperiment(name("claimed")) });
    await log(run_id, 1);
    const mlflowId = await delivered(run_id);
    for (const [n, mlflow_run_id] of [run_id, mlflowId].entries()) {
      const model_run_id = name("claims");
      await lab.relay.send([
        {
          event: "ml.trial.start",
          model_run_id,
          trial_id: `c${n}`,
          spectral_norm: true,
          mlflow_run_id,
          experiment_name: model_run_id,
        },
        {
          event: "ml.run.metric",
          model_run_id,
          trial_id: `c${n}`,
          metric_name: "loss",
          metric_value: 3,
          step: 50,
        },
      ]);
      await lab.relay.delivered(model_run_id);
      expect(lab.relay.store.conflicts(model_run_id)).toMatchObject([
        { kind: "run_id", refused: mlflow_run_id },
      ]);
      expect(await mlflow.points(mlflowId, "loss")).toEqual(["1: 0.5"]);
    }
  });
});

describe("what is done in MLflow to a run of the gateway's", () => {
  test("is seen by its clients: deleted, refused, restored", async () => {
    const run_id = await relay.newRun({ experiment_id: await relay.newExperiment(name("undone")) });
    await log(run_id, 1);
    const id = await delivered(run_id);
    await mlflow.made("runs/delete", { run_id: id });
    await lab.relay.cron();
    expect((await relay.run(run_id)).info.lifecycle_stage).toBe("deleted");
    expect((await relay.post("runs/set-tag", { run_id, key: "a", value: "1" })).body.message).toBe(
      `The run ${run_id} must be in the 'active' state. Current state is deleted.`,
    );
    await mlflow.made("runs/restore", { run_id: id });
    await lab.relay.cron();
    expect((await relay.run(run_id)).info.lifecycle_stage).toBe("active");
    await log(run_id, 2);
    await delivered(run_id);
    expect(await mlflow.points(id, "loss")).toEqual(["1: 0.5", "2: 1"]);
  });

  test("stops what is on its way, until a client restores it", async () => {
    const experiment = name("stopped");
    const experiment_id = await relay.newExperiment(experiment);
    const run_id = await relay.newRun({ experiment_id });
    await log(run_id, 1);
    const id = await delivered(run_id);
    await mlflow.made("runs/delete", { run_id: id });
    await log(run_id, 2);
    await lab.relay.until(
      "it is blocked",
      async () => (await lab.relay.get(`/api/trials/${run_id}`)).body.sync_state === "blocked",
    );
    expect((await relay.run(run_id)).info.lifecycle_stage).toBe("deleted");
    await relay.made("runs/restore", { run_id });
    await delivered(run_id);
    expect(await mlflow.points(id, "loss")).toEqual(["1: 0.5", "2: 1"]);
    await mlflow.made("experiments/delete", {
      experiment_id: (await experimentThere(experiment)).experiment_id,
    });
    await log(run_id, 3);
    await lab.relay.until(
      "it is blocked",
      async () => (await lab.relay.get(`/api/trials/${run_id}`)).body.sync_state === "blocked",
    );
    await lab.relay.until("its experiment is deleted here too", async () => {
      await relay.post("experiments/set-experiment-tag", { experiment_id, key: "x", value: "1" });
      return (
        (await relay.get("experiments/get", { experiment_id })).body.experiment.lifecycle_stage === "deleted"
      );
    });
    await relay.made("experiments/restore", { experiment_id });
    await delivered(run_id);
    expect(await mlflow.points(id, "loss")).toEqual(["1: 0.5", "2: 1", "3: 1.5"]);
  });

  test("is merged with what its clients say: a name, a tag, a status", async () => {
    const run_id = await relay.newRun({
      experiment_id: await relay.newExperiment(name("edited")),
      run_name: "ours",
    });
    await relay.made("runs/set-tag", { run_id, key: "k", value: "ours" });
    const id = await delivered(run_id);
    await mlflow.made("runs/update", { run_id: id, run_name: "theirs", status: "FINISHED", end_time: 5 });
    await mlflow.made("runs/set-tag", { run_id: id, key: "k", value: "theirs" });
    await lab.relay.until("the edits are here", async () => {
      await lab.relay.cron();
      return (await relay.run(run_id)).tags.k === "theirs";
    });
    expect((await relay.run(run_id)).info).toMatchObject({
      run_name: "theirs",
      status: "FINISHED",
      end_time: 5,
    });
    await relay.made("runs/set-tag", { run_id, key: "k", value: "ours again" });
    await relay.made("runs/update", { run_id, status: "RUNNING" });
    await delivered(run_id);
    const there = await mlflow.run(id);
    expect(there.tags.k).toBe("ours again");
    expect(there.info).toMatchObject({ run_name: "theirs", status: "RUNNING" });
    expect((await relay.run(run_id)).tags["mlflow.runName"]).toBe("theirs");
  });
});

describe("an experiment of the gateway's", () => {
  test("made while MLflow is away is the one that MLflow has by that name", async () => {
    const both = name("both");
    const id = await mlflow.newExperiment(both, { tags: [{ key: "theirs", value: "1" }] });
    lab.proxy.fail({}, FAULTS.refuse);
    expect((await relay.get("experiments/get-by-name", { experiment_name: both })).status).toBe(404);
    const experiment_id = await relay.newExperiment(both, { tags: [{ key: "ours", value: "2" }] });
    const run_id = await relay.newRun({ experiment_id });
    await log(run_id, 1);
    lab.proxy.heal();
    expect((await mlflow.run(await delivered(run_id))).info.experiment_id).toBe(id);
    await lab.relay.until("its tags are there", async () => (await experimentThere(both)).tags?.length === 2);
    for (const asked of [id, experiment_id])
      expect(
        (await relay.get("experiments/get", { experiment_id: asked })).body.experiment.experiment_id,
      ).toBe(experiment_id);
  });

  test("is renamed, tagged, deleted and restored in MLflow as here, with nothing lost of its runs", async () => {
    const first = name("moves");
    const experiment_id = await relay.newExperiment(first);
    const run_id = await relay.newRun({ experiment_id });
    for (let step = 1; step <= 20; step++) await log(run_id, step);
    await relay.made("experiments/update", { experiment_id, new_name: `${first} anew` });
    await relay.made("experiments/set-experiment-tag", { experiment_id, key: "k", value: "v" });
    await relay.made("experiments/delete", { experiment_id });
    await lab.relay.until(
      "it is deleted",
      async () => (await experimentThere(`${first} anew`))?.lifecycle_stage === "deleted",
    );
    expect(await experimentThere(first)).toBeUndefined();
    const id = await delivered(run_id);
    expect(await mlflow.points(id, "loss")).toHaveLength(20);
    await relay.made("experiments/restore", { experiment_id });
    await relay.made("experiments/delete-experiment-tag", { experiment_id, key: "k" });
    await lab.relay.until("it is restored, without its tag", async () => {
      const there = await experimentThere(`${first} anew`);
      return there.lifecycle_stage === "active" && (there.tags ?? []).length === 0;
    });
    await log(run_id, 21);
    await delivered(run_id);
    expect(await mlflow.points(id, "loss")).toHaveLength(21);
  });
});

describe("what the relay has for trials it has for runs of the gateway", () => {
  test("a list with their state, a ledger, a verdict, and sending again", async () => {
    const experiment_id = await relay.newExperiment(name("kept"));
    const parent = await relay.newRun({ experiment_id });
    const run_id = await relay.newRun({
      experiment_id,
      run_name: "watched",
      tags: [{ key: "mlflow.parentRunId", value: parent }],
    });
    await relay.made("runs/log-batch", {
      run_id,
      params: [{ key: "lr", value: "1" }],
      tags: [{ key: "k", value: "v" }],
      metrics: [{ key: "loss", value: 1, timestamp: 1, step: 1 }],
    });
    await relay.made("runs/update", { run_id, status: "FINISHED", end_time: 9 });
    const id = await delivered(run_id);
    const listed = (await lab.relay.get("/api/trials?limit=100")).body.trials as Record<string, unknown>[];
    expect(listed.find((trial) => trial.id === run_id)).toMatchObject({
      status: "succeeded",
      sync_state: "synced",
      mlflow_run_id: id,
    });
    expect((await lab.relay.get(`/api/trials/${run_id}/ledger`)).status).toBe(200);
    const verdict = async (of: string) => (await lab.relay.ask(`/api/ops/trials/${of}/verify`)).body;
    expect(await verdict(run_id)).toMatchObject({ verdict: "confirmed" });
    expect(await verdict(parent)).toMatchObject({ verdict: "confirmed" });
  });
});
