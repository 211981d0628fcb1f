import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import * as z from "zod";
import { FAULTS } from "../lib/fault-proxy.ts";
import { lossAt, trialOf } from "../lib/one-trial.ts";
import { type PythonClient, storeClient } from "../lib/python-client.ts";
import { openLab, type SharedLab } from "./lab.ts";

const MANY = 2_000;
const PAGE = 500;
/** Four thousand calls, on whatever machine. */
const MAKING_MS = 900_000;
/** Neither a late announcement nor an answer that takes long is a failure here. */
const PATIENT = { RELAY_ANNOUNCE_GRACE_SECONDS: "120", MLFLOW_REQUEST_TIMEOUT: "10000" };
const AT = Date.UTC(2026, 0, 1);

let lab: SharedLab;
let python: PythonClient;
beforeAll(async () => {
  lab = await openLab(PATIENT);
  python = await storeClient(inject("mlflowDir"), lab.workspace);
});
afterAll(async () => {
  await python?.stop();
  await lab?.close();
});

const madeRun = z.object({ info: z.object({ run_id: z.string() }) });
const job = z.object({ state: z.string(), counts: z.record(z.string(), z.number()), errors: z.unknown() });
const page = z.object({
  runs: z.array(z.object({ mlflow_run_id: z.string(), run_name: z.string() })),
  next_cursor: z.string().nullable(),
});

/** A run made by the Python client. */
async function run(experimentId: string, name: string, tags: Record<string, string> = {}, start_time = AT) {
  const made = await python.run("create_run", [experimentId], { start_time, run_name: name, tags });
  return madeRun.parse(made).info.run_id;
}

async function experiment(name: string): Promise<string> {
  return z.string().parse(await python.run("create_experiment", [name]));
}

/** Reads the experiment as an operator asks for it; the counts of the job. */
async function sync(experiment_id: string): Promise<Record<string, number>> {
  const asked = await lab.relay.ask("/api/sync/experiments", { experiment_id });
  expect(asked.status).toBe(202);
  return ended(z.string().parse(asked.body.job_id));
}

async function ended(jobId: string): Promise<Record<string, number>> {
  const read = async () => job.parse((await lab.relay.get(`/api/sync/jobs/${jobId}`)).body);
  await lab.relay.until("the job is over", async () => !["queued", "running"].includes((await read()).state));
  const { state, counts, errors } = await read();
  expect(state, JSON.stringify(errors)).toBe("succeeded");
  return counts;
}

const shown = async (runId: string) => (await lab.relay.get(`/api/runs/${runId}`)).body;
const tagged = (modelRunId: string, trialId = "t") => ({
  thunderline_trial_id: trialId,
  thunderline_model_run_id: modelRunId,
});

describe("an experiment of two thousand runs made by the Python client", () => {
  let experimentId: string;
  let ids: string[];

  beforeAll(async () => {
    experimentId = await experiment("two thousand");
    ids = await Promise.all(
      Array.from({ length: MANY }, (_, i) =>
        run(experimentId, `run ${i}`, { "team name": `t${i % 7}` }, AT + i),
      ),
    );
    await Promise.all(
      ids.map((id, i) => {
        const metric = (step: number) => ({
          entity: "Metric",
          key: "loss",
          value: i / 3,
          timestamp: AT + step,
          step,
        });
        const metrics = [metric(2), metric(1)];
        const params = [{ entity: "Param", key: "lr", value: `0.${i}` }];
        return python.run("log_batch", [id], { metrics, params });
      }),
    );
    const dataset = {
      entity: "Dataset",
      name: "moons",
      digest: "d1",
      source_type: "local",
      source: "/moons",
    };
    const tags = [{ entity: "InputTag", key: "mlflow.data.context", value: "training" }];
    await python.run("log_inputs", [ids[7]], { datasets: [{ entity: "DatasetInput", dataset, tags }] });
  }, MAKING_MS);

  test("appears complete, with parameters, tags, latest metrics and inputs", async () => {
    expect(await sync(experimentId)).toMatchObject({ runs: MANY, created: MANY, updated: 0, unchanged: 0 });
    const names = new Map<string, string>();
    let cursor = "";
    do {
      const path = `/api/runs?experiment_id=${experimentId}&limit=${PAGE}${cursor}`;
      const { runs, next_cursor } = page.parse((await lab.relay.get(path)).body);
      for (const { mlflow_run_id, run_name } of runs) names.set(mlflow_run_id, run_name);
      cursor = next_cursor === null ? "" : `&cursor=${next_cursor}`;
    } while (cursor !== "");
    expect(names).toEqual(new Map(ids.map((id, i) => [id, `run ${i}`])));
    for (const i of [0, 7, 1_999])
      expect(await shown(ids[i] ?? "")).toMatchObject({
        status: "RUNNING",
        start_time: new Date(AT + i).toISOString(),
        lifecycle_stage: "active",
        params: { lr: `0.${i}` },
        tags: { "team name": `t${i % 7}`, "mlflow.runName": `run ${i}` },
        metrics: { loss: { value: i / 3, step: 2, timestamp: AT + 2 } },
        inputs:
          i === 7
            ? [{ name: "moons", digest: "d1", source: "/moons", tags: { "mlflow.data.context": "training" } }]
            : [],
        truncated: null,
      });
    expect((await lab.relay.get(`/api/experiments/${experimentId}`)).body).toMatchObject({
      name: "two thousand",
      runs: { total: MANY },
    });
  });

  test("a second pass writes nothing, to the mirror or to MLflow", async () => {
    const before = await Promise.all(ids.slice(0, 20).map(shown));
    const calls = lab.proxy.calls.length;
    expect(await sync(experimentId)).toMatchObject({ runs: MANY, created: 0, updated: 0, unchanged: MANY });
    expect(await Promise.all(ids.slice(0, 20).map(shown))).toEqual(before);
    const endpoints = new Set(lab.proxy.calls.slice(calls).map((call) => call.path));
    expect(endpoints).toEqual(new Set(["experiments/get", "runs/search"]));
  });

  test("what changed meanwhile is followed, and only that", async () => {
    await python.run("set_tag", [ids[3], "note", "seen"]);
    await python.run("log_metric", [ids[4], "loss", 0.25], { step: 9, timestamp: AT + 9 });
    await python.run("set_terminated", [ids[5], "FINISHED", AT + 10_000]);
    await python.run("delete_run", [ids[6]]);
    const added = await run(experimentId, "another", {}, AT + MANY);
    expect(await sync(experimentId)).toMatchObject({
      created: 1,
      updated: 4,
      unchanged: MANY - 4,
      deleted: 1,
    });
    expect(await shown(ids[3] ?? "")).toMatchObject({ tags: { note: "seen" } });
    expect(await shown(ids[4] ?? "")).toMatchObject({ metrics: { loss: { value: 0.25, step: 9 } } });
    expect(await shown(ids[5] ?? "")).toMatchObject({ status: "FINISHED" });
    expect(await shown(ids[6] ?? "")).toMatchObject({ lifecycle_stage: "deleted" });
    expect(await shown(added)).toMatchObject({ run_name: "another", trial: null });
  });
});

test("deleting and restoring runs, and their experiment, is followed", async () => {
  const experimentId = await experiment("to and fro");
  const [one, other] = [await run(experimentId, "one"), await run(experimentId, "other")];
  const stages = async () => {
    await sync(experimentId);
    const { body } = await lab.relay.get(`/api/experiments/${experimentId}`);
    const runs = await Promise.all([one, other].map(shown));
    return [body, ...runs].map((record) => record.lifecycle_stage);
  };
  expect(await stages()).toEqual(["active", "active", "active"]);
  await python.run("delete_run", [one]);
  expect(await stages()).toEqual(["active", "deleted", "active"]);
  await python.run("restore_run", [one]);
  expect(await stages()).toEqual(["active", "active", "active"]);
  await python.run("delete_experiment", [experimentId]);
  expect(await stages()).toEqual(["deleted", "deleted", "deleted"]);
  await python.run("restore_experiment", [experimentId]);
  await python.run("rename_experiment", [experimentId, "fro"]);
  expect(await stages()).toEqual(["active", "active", "active"]);
  const { body } = await lab.relay.get(`/api/experiments/${experimentId}`);
  expect(body).toMatchObject({ name: "fro", former_names: ["to and fro"] });
});

describe("a run with Thunderline's tags", () => {
  test("is linked to the trial that is waiting for one, with all that it has", async () => {
    const experimentId = await experiment("tagged");
    const runId = await run(experimentId, "by hand", tagged("tagged"));
    await python.run("log_param", [runId, "depth", 3]);
    expect(await sync(experimentId)).toMatchObject({ created: 1 });
    const t = trialOf("tagged");
    await lab.relay.send([
      t.announce(),
      t.start({ parameters: { lr: "0.1" } }),
      t.metric(0, 5),
      t.complete(),
    ]);
    await lab.relay.delivered("tagged");
    const trial = await lab.mlflow.trial("tagged", "t");
    expect(trial).toMatchObject({ runId, status: "FINISHED", params: { depth: "3", lr: "0.1" } });
    expect(trial.points).toEqual([lossAt(0, 5)]);
    expect(await shown(runId)).toMatchObject({ trial: { trial_id: "t", model_run_id: "tagged" } });
  });

  test("is linked to a trial that is here already, whose events go there", async () => {
    const experimentId = await experiment("held");
    const t = trialOf("held");
    // Without a start it waits for its announcement, longer than this test takes.
    await lab.relay.send([t.metric(0, 5), t.metric(1, 4)]);
    const [younger, runId] = [
      await run(experimentId, "second", tagged("held"), AT + 5),
      await run(experimentId, "first", tagged("held")),
    ];
    expect(await sync(experimentId)).toMatchObject({ created: 2, linked: 1, doubles: 1 });
    await lab.relay.delivered("held");
    expect((await lab.mlflow.run(runId)).points).toEqual([lossAt(0, 5), lossAt(1, 4)]);
    expect((await lab.mlflow.run(younger)).points).toEqual([]);
    expect(await shown(runId)).toMatchObject({ trial: { trial_id: "t", model_run_id: "held" } });
  });
});

describe("a second run of a trial", () => {
  /** A trial with its run, and another run that says it is this trial's. */
  async function doubled(name: string) {
    const t = trialOf(name);
    await lab.relay.send([t.announce(), t.start(), t.metric(0, 5), t.complete()]);
    await lab.relay.delivered(name);
    const own = (await lab.mlflow.trial(name, "t")).runId;
    const experimentId = await lab.mlflow.experimentId(name);
    const other = await run(experimentId, "the same again", tagged(name));
    return { own, other, experimentId };
  }

  test("is reported, once, and stays", async () => {
    const { own, other, experimentId } = await doubled("double");
    expect(await sync(experimentId)).toMatchObject({ doubles: 1 });
    expect((await sync(experimentId)).doubles).toBeUndefined();
    expect(lab.relay.store.conflicts("double")).toEqual([
      { trial_id: "t", kind: "double_run", field: "mlflow_run_id", kept: own, refused: other },
    ]);
    expect(await shown(other)).toMatchObject({ trial: null, double_of: { trial_id: "t" } });
    expect((await lab.mlflow.run(other)).lifecycleStage).toBe("active");
  });

  test("is deleted by policy, and is not deleted again when it is restored in MLflow", async () => {
    await lab.relay.stop();
    await lab.relay.restart({ RELAY_DOUBLE_RUNS: "delete" });
    const { own, other, experimentId } = await doubled("double by policy");
    expect(await sync(experimentId)).toMatchObject({ doubles: 1, doubles_deleted: 1 });
    const stages = async () =>
      [await lab.mlflow.run(own), await lab.mlflow.run(other)].map((one) => one.lifecycleStage);
    expect(await stages()).toEqual(["active", "deleted"]);
    await python.run("restore_run", [other]);
    await sync(experimentId);
    expect(await stages()).toEqual(["active", "active"]);
    expect(await shown(other)).toMatchObject({ lifecycle_stage: "active", double_of: { trial_id: "t" } });
  });
});

test("an experiment that is watched is read on each pass of the cron, and nothing of it is missed", async () => {
  const watched = await lab.relay.ask("/api/sync/watches", { experiment_name: "watched" });
  expect(watched).toMatchObject({ status: 201, body: { experiment_name: "watched", last_job: null } });
  const passed = async (state: string) => {
    await lab.relay.cron();
    const { body } = await lab.relay.get("/api/sync/watches");
    const last = z
      .object({ watches: z.tuple([z.object({ last_job: z.object({ id: z.string() }) })]) })
      .parse(body);
    const path = `/api/sync/jobs/${last.watches[0].last_job.id}`;
    await lab.relay.until(
      `the job has ${state}`,
      async () => (await lab.relay.get(path)).body.state === state,
    );
  };
  await passed("cancelled");
  const experimentId = await experiment("watched");
  const first = await run(experimentId, "first");
  await passed("succeeded");
  expect(await shown(first)).toMatchObject({ run_name: "first", status: "RUNNING" });
  await python.run("set_terminated", [first, "FAILED"]);
  const second = await run(experimentId, "second");
  await passed("succeeded");
  expect(await shown(first)).toMatchObject({ status: "FAILED" });
  expect(await shown(second)).toMatchObject({ run_name: "second" });
});

test("a blocked trial goes on once its run was restored in MLflow", async () => {
  const t = trialOf("restored by hand");
  await lab.relay.send([t.announce(), t.start(), t.metric(0, 5)]);
  await lab.relay.delivered("restored by hand");
  const { runId } = await lab.mlflow.trial("restored by hand", "t");
  await python.run("delete_run", [runId]);
  await lab.relay.send(t.metric(1, 4));
  const blocked = () =>
    lab.relay.store.behind("restored by hand").some((one) => one.blocked_reason?.startsWith("gone: "));
  await lab.relay.until("the trial is blocked", blocked);
  await lab.relay.cron();
  expect(blocked(), "nobody restored it").toBe(true);
  expect(await shown(runId)).toMatchObject({ lifecycle_stage: "deleted" });
  await python.run("restore_run", [runId]);
  await lab.relay.cron();
  await lab.relay.delivered("restored by hand");
  expect((await lab.mlflow.run(runId)).points).toEqual([lossAt(0, 5), lossAt(1, 4)]);
  expect(await shown(runId)).toMatchObject({ lifecycle_stage: "active" });
});

test("the history of a metric is read on demand, and shown again while MLflow is away", async () => {
  const experimentId = await experiment("histories");
  const [long, unread] = [await run(experimentId, "long"), await run(experimentId, "unread")];
  const point = (step: number) => ({
    entity: "Metric",
    key: "val/loss",
    value: step / 7,
    timestamp: AT + step,
    step,
  });
  const points = Array.from({ length: 26_000 }, (_, step) => point(step));
  for (let i = 0; i < points.length; i += 1_000)
    await python.run("log_batch", [long], { metrics: points.slice(i, i + 1_000) });
  await python.run("log_metric", [unread, "val/loss", 1]);
  await sync(experimentId);
  const history = (runId: string, query: string) =>
    lab.relay.get(`/api/runs/${runId}/metrics/val/loss?${query}`);
  const whole = await history(long, "max_points=50000");
  expect(whole).toMatchObject({ status: 200, body: { key: "val/loss", total: 26_000, downsampled: false } });
  expect(whole.body.points).toEqual(points.map(({ step, timestamp, value }) => ({ step, timestamp, value })));
  lab.proxy.fail({}, FAULTS.refuse);
  try {
    expect((await history(long, "max_points=50000")).body).toEqual(whole.body);
    expect((await history(long, "from_step=10&to_step=12")).body).toMatchObject({
      total: 3,
      downsampled: false,
    });
    const nothing = await history(unread, "");
    expect([nothing.status, nothing.headers.get("retry-after")]).toEqual([503, "30"]);
  } finally {
    lab.proxy.heal();
  }
});
