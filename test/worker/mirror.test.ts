import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { Experiment, Run } from "../../src/mlflow/types.ts";
import { experimentNamed, mirrorExperiment } from "../../src/store/mirror/experiments.ts";
import { mirrorRuns, noteMerged } from "../../src/store/mirror/runs.ts";
import { post, request } from "./api.ts";

const { DB: db } = env;

let made = 0;
function run(
  more: { info?: Partial<Run["info"]>; data?: Partial<Run["data"]>; inputs?: Run["inputs"] } = {},
): Run {
  return {
    info: {
      runId: `${++made}`.padStart(32, "a"),
      runName: "a run",
      experimentId: "7",
      userId: "ann",
      status: "FINISHED",
      startTime: 1_000 + made,
      endTime: 2_000,
      artifactUri: "mlflow-artifacts:/7/a",
      lifecycleStage: "active",
      ...more.info,
    },
    data: { metrics: [], params: [], tags: [], ...more.data },
    inputs: more.inputs ?? { datasets: [], modelIds: [] },
    outputs: [],
  };
}

const rich = () =>
  run({
    data: {
      params: [
        { key: "lr", value: "0.1" },
        { key: "depth", value: "3" },
      ],
      tags: [{ key: "team", value: 'ü "x"' }],
      metrics: [
        { key: "loss", value: Number.NaN, timestamp: 5, step: 2n ** 60n },
        { key: "acc", value: 0.5, timestamp: 6, step: -1 },
      ],
    },
    inputs: {
      datasets: [
        {
          name: "moons",
          digest: "d1",
          sourceType: "local",
          source: "/m",
          schema: null,
          profile: null,
          tags: [{ key: "use", value: "train" }],
        },
      ],
      modelIds: [],
    },
  });

const counts = async (runs: Run[], seenAt: number) => {
  const { created, updated, unchanged, deleted } = await mirrorRuns(db, runs, seenAt);
  return { created, updated, unchanged, deleted };
};
const shown = async (id: string) => (await request(`/api/runs/${id}`)).body;
const syncedAt = (id: string) =>
  db.prepare("select synced_at as at from mlflow_runs where mlflow_run_id = ?1").bind(id).first<number>("at");

/** A trial whose run this is, as after its delivery at a time. */
async function linked(one: Run, trialId: string, deliveredAt: number): Promise<void> {
  await post({ event: "ml.trial.start", model_run_id: "m", trial_id: trialId, spectral_norm: true });
  const { runId } = one.info;
  await mirrorRuns(db, [one], deliveredAt + 1);
  await db.batch([
    db
      .prepare("update streams set mlflow_run_id = ?1, delivered_at = ?3 where trial_id = ?2")
      .bind(runId, trialId, deliveredAt),
    db
      .prepare(
        "update mlflow_runs set stream_id = (select id from streams where trial_id = ?2) where mlflow_run_id = ?1",
      )
      .bind(runId, trialId),
  ]);
}

describe("the mirror of runs", () => {
  it("shows everything that was pulled", async () => {
    const one = rich();
    expect(await counts([one], 50)).toEqual({ created: 1, updated: 0, unchanged: 0, deleted: 0 });
    expect(await shown(one.info.runId)).toEqual({
      mlflow_run_id: one.info.runId,
      mlflow_experiment_id: "7",
      run_name: "a run",
      status: "FINISHED",
      start_time: new Date(one.info.startTime ?? 0).toISOString(),
      end_time: new Date(2_000).toISOString(),
      lifecycle_stage: "active",
      artifact_uri: "mlflow-artifacts:/7/a",
      user_id: "ann",
      synced_at: new Date(50).toISOString(),
      trial: null,
      model_run: null,
      double_of: null,
      params: { depth: "3", lr: "0.1" },
      tags: { team: 'ü "x"' },
      metrics: {
        acc: { value: 0.5, step: -1, timestamp: 6 },
        loss: { value: "NaN", step: String(2n ** 60n), timestamp: 5 },
      },
      inputs: [{ name: "moons", digest: "d1", source_type: "local", source: "/m", tags: { use: "train" } }],
      truncated: null,
    });
  });

  it("does not write what did not change, in whatever order it is listed", async () => {
    const one = rich();
    await mirrorRuns(db, [one], 50);
    const { params, tags, metrics } = one.data;
    const again = { ...one, data: { params: params.toReversed(), tags, metrics: metrics.toReversed() } };
    expect(await counts([again], 60)).toEqual({ created: 0, updated: 0, unchanged: 1, deleted: 0 });
    expect(await syncedAt(one.info.runId)).toBe(50);
  });

  it.each<[string, (one: Run) => Run]>([
    ["name", (one) => ({ ...one, info: { ...one.info, runName: "other" } })],
    ["end", (one) => ({ ...one, info: { ...one.info, endTime: 2_001 } })],
    ["parameter", (one) => ({ ...one, data: { ...one.data, params: [{ key: "lr", value: "0.2" }] } })],
    ["tag", (one) => ({ ...one, data: { ...one.data, tags: [] } })],
    ["infinity for NaN", (one) => withLoss(one, Number.POSITIVE_INFINITY, 2n ** 60n)],
    ["step beyond a double", (one) => withLoss(one, Number.NaN, 2n ** 60n + 1n)],
    ["input", (one) => ({ ...one, inputs: { ...one.inputs, datasets: [] } })],
  ])("sees another %s", async (_, change) => {
    const one = rich();
    await mirrorRuns(db, [one], 50);
    expect(await counts([change(one)], 60)).toEqual({ created: 0, updated: 1, unchanged: 0, deleted: 0 });
    expect(await syncedAt(one.info.runId)).toBe(60);
  });

  it("counts a run that was deleted, and follows it back", async () => {
    const one = run();
    const deleted = { ...one, info: { ...one.info, lifecycleStage: "deleted" as const } };
    await mirrorRuns(db, [one], 50);
    expect(await counts([deleted], 60)).toMatchObject({ updated: 1, deleted: 1 });
    expect(await shown(one.info.runId)).toMatchObject({ lifecycle_stage: "deleted" });
    expect(await counts([one], 70)).toMatchObject({ updated: 1, deleted: 0 });
    expect(await shown(one.info.runId)).toMatchObject({ lifecycle_stage: "active" });
  });

  it("is not set back by an answer that is older than what it has", async () => {
    const one = run();
    await mirrorRuns(db, [{ ...one, info: { ...one.info, runName: "new" } }], 60);
    await mirrorRuns(db, [one], 50);
    expect(await shown(one.info.runId)).toMatchObject({ run_name: "new" });
  });

  it("keeps what fits of a run that is larger than a row, and says what it left out", async () => {
    const params = Array.from({ length: 400 }, (_, i) => ({ key: `p${i}`, value: "ü".repeat(6_000) }));
    const one = run({ data: { params, tags: [{ key: "team", value: "a" }] } });
    await mirrorRuns(db, [one], 50);
    const body = await shown(one.info.runId);
    expect(body).toMatchObject({ tags: { team: "a" }, truncated: { tags: 0, metrics: 0, inputs: 0 } });
    const kept = Object.keys(Object(body).params).length;
    expect(kept).toBeGreaterThan(100);
    expect(Object(body).truncated.params).toBe(400 - kept);
    // What did not fit is compared all the same.
    const last = { key: "p399", value: "other" };
    const changed = { ...one, data: { ...one.data, params: [...params.slice(0, -1), last] } };
    expect(await counts([changed], 60)).toMatchObject({ updated: 1 });
  });
});

function withLoss(one: Run, value: number, step: bigint): Run {
  const metrics = one.data.metrics.map((metric) =>
    metric.key === "loss" ? { ...metric, value, step } : metric,
  );
  return { ...one, data: { ...one.data, metrics } };
}

describe("a linked run", () => {
  const edit = (one: Run, value: string): Run => ({
    ...one,
    data: { ...one.data, tags: [{ key: "team", value }] },
  });

  it("is to be merged when it changed in more than its metrics, until it was", async () => {
    const one = rich();
    await linked(one, "merged", 40);
    const metrics = withLoss(one, 1, 2n ** 60n);
    expect((await mirrorRuns(db, [metrics], 50, true)).toMerge).toEqual([]);
    const edited = edit(metrics, "b");
    const [first, ...others] = (await mirrorRuns(db, [edited], 60, true)).toMerge;
    expect([first?.run, others]).toEqual([edited, []]);
    // Whoever was to merge it did not live to do so.
    const again = await mirrorRuns(db, [edited], 70, true);
    expect(again).toMatchObject({ unchanged: 1, updated: 0 });
    expect(again.toMerge.map(({ run }) => run)).toEqual([edited]);
    await noteMerged(db, again.toMerge);
    expect((await mirrorRuns(db, [edited], 80, true)).toMerge).toEqual([]);
    expect(await syncedAt(one.info.runId)).toBe(60);
  });

  it("is not taken for merged when it changed again meanwhile", async () => {
    const one = rich();
    await linked(one, "again", 40);
    const { toMerge } = await mirrorRuns(db, [edit(one, "b")], 50, true);
    await mirrorRuns(db, [edit(one, "c")], 60, true);
    await noteMerged(db, toMerge);
    expect((await mirrorRuns(db, [edit(one, "c")], 70, true)).toMerge).toHaveLength(1);
  });

  it("is looked at once more after a delivery, which may have been taken back", async () => {
    const one = rich();
    await linked(one, "back", 40);
    await db.prepare("update streams set delivered_at = 55 where trial_id = 'back'").run();
    const { toMerge, unchanged } = await mirrorRuns(db, [one], 60, true);
    expect([toMerge.length, unchanged]).toEqual([1, 1]);
    await noteMerged(db, toMerge);
    expect((await mirrorRuns(db, [one], 70, true)).toMerge).toEqual([]);
  });
});

describe("GET /api/runs", () => {
  it("lists by lifecycle and by whether runs belong to a trial, and shows no data", async () => {
    const own = run({ info: { experimentId: "list" }, data: { tags: [{ key: "a", value: "b" }] } });
    const free = run({ info: { experimentId: "list", status: "FAILED" } });
    const gone = run({ info: { experimentId: "list", lifecycleStage: "deleted" } });
    await linked(own, "listed", 40);
    await mirrorRuns(db, [free, gone], 50);
    const ids = async (query: string) => {
      const { body } = await request(`/api/runs?experiment_id=list&${query}`);
      return Object(body).runs.map((row: { mlflow_run_id: string }) => row.mlflow_run_id);
    };
    const [a, b, c] = [own, free, gone].map((one) => one.info.runId);
    expect(await ids("")).toEqual([c, b, a]);
    expect(await ids("lifecycle=active")).toEqual([b, a]);
    expect(await ids("lifecycle=deleted")).toEqual([c]);
    expect(await ids("linked=true")).toEqual([a]);
    expect(await ids("linked=false&lifecycle=all")).toEqual([c, b]);
    expect(await ids("status=FAILED")).toEqual([b]);
    const { body } = await request("/api/runs?experiment_id=list&linked=true");
    expect(body).toMatchObject({ runs: [{ trial: { trial_id: "listed" } }] });
    expect(Object.keys(Object(body).runs[0])).not.toContain("tags");
  });
});

describe("the mirror of experiments", () => {
  const experiment = (more: Partial<Experiment> = {}): Experiment => ({
    experimentId: "e1",
    name: "first",
    artifactLocation: null,
    lifecycleStage: "active",
    creationTime: 1_000,
    lastUpdateTime: 2_000,
    tags: [{ key: "mlflow.note.content", value: "about" }],
    ...more,
  });
  const view = async () => (await request("/api/experiments/e1")).body;

  it("keeps former names, writes nothing that is not new, and finds an experiment by any of them", async () => {
    expect(await mirrorExperiment(db, experiment(), 50)).toBe("created");
    expect(await mirrorExperiment(db, experiment(), 60)).toBe("unchanged");
    expect(await view()).toMatchObject({
      name: "first",
      synced_at: new Date(50).toISOString(),
      tags: { "mlflow.note.content": "about" },
      former_names: [],
      creation_time: new Date(1_000).toISOString(),
      last_update_time: new Date(2_000).toISOString(),
      model_runs: [],
    });
    for (const name of ["second", "third", "first", "third"])
      expect(await mirrorExperiment(db, experiment({ name }), 70)).toBe("updated");
    expect(await view()).toMatchObject({ name: "third", former_names: ["second", "first"] });
    expect(await experimentNamed(db, "third")).toBe("e1");
    expect(await experimentNamed(db, "second")).toBe("e1");
    expect(await experimentNamed(db, "never")).toBeNull();
    await mirrorExperiment(db, experiment({ experimentId: "e2", name: "second" }), 80);
    expect(await experimentNamed(db, "second")).toBe("e2");
  });
});
