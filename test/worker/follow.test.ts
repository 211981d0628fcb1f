import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { pullWatched } from "../../src/relay/cron/watched.ts";
import type { Deps } from "../../src/relay/deps.ts";
import type { JobStep } from "../../src/relay/jobs/step.ts";
import { syncExperiment as syncOnly } from "../../src/relay/jobs/sync-experiment.ts";
import { post, request } from "./api.ts";
import { follow, pullRunning, syncExperiment, syncJob, thunderlineTags } from "./following.ts";
import { recordingQueue } from "./job-tools.ts";
import { TrackingServer } from "./tracking-server.ts";

const { DB: db } = env;
const NO_CHANGE = { created: 0, updated: 0, deleted: 0 };

/** Brings a job to its end, message by message. */
async function syncAll(deps: Deps, target: string) {
  let progress: string | null = null;
  let counts: Record<string, number> = {};
  for (let messages = 1; ; messages++) {
    const job = { id: "j", action: "sync_experiment" as const, target, progress, counts };
    const step: JobStep = await syncExperiment(deps, job);
    if (step.kind !== "continue") return { step, messages };
    ({ progress, counts } = step);
  }
}

async function trial(trial_id: string, more: object = {}): Promise<void> {
  await post({ event: "ml.trial.start", model_run_id: "study", trial_id, spectral_norm: true, ...more });
}

const tagged = (trialId: string) => ({
  tags: thunderlineTags(trialId, "study"),
});
const runOf = (trialId: string) =>
  db.prepare("select mlflow_run_id as id from streams where trial_id = ?1").bind(trialId).first<string>("id");
const shown = async (id: string) => (await request(`/api/runs/${id}`)).body;

describe("sync_experiment", () => {
  it("reads ten thousand runs in bounded messages, each once, and writes nothing the next time", async () => {
    const server = new TrackingServer();
    server.experiment("1", "large");
    for (let i = 0; i < 10_000; i++) server.run("1", { params: [{ key: "i", value: String(i) }] });
    let statements = 0;
    const counting = new Proxy(db, {
      get: (target, name) => {
        const value = Reflect.get(target, name);
        if (name === "prepare") statements++;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const deps = { ...server.deps(), db: counting };
    const first = await syncAll(deps, "1");
    const all = { runs: 10_000, pages: 50 };
    expect(first.step).toEqual({
      kind: "done",
      counts: { ...all, created: 10_000, updated: 0, unchanged: 0, deleted: 0 },
    });
    expect(first.messages).toBeGreaterThan(2);
    expect(statements / first.messages).toBeLessThan(500);
    expect(server.called.filter((endpoint) => endpoint === "runs/search")).toHaveLength(50);
    const before = await db.prepare("select sum(synced_at) as n from mlflow_runs").first("n");
    const second = await syncAll(deps, "1");
    expect(second.step).toMatchObject({ kind: "done", counts: { ...all, ...NO_CHANGE, unchanged: 10_000 } });
    expect(await db.prepare("select sum(synced_at) as n from mlflow_runs").first("n")).toBe(before);
    expect(new Set(server.called)).toEqual(new Set(["experiments/get", "runs/search"]));
  });

  it("notes runs that MLflow deleted for good", async () => {
    const server = new TrackingServer();
    server.experiment("2", "cleaned");
    const runs = Array.from({ length: 250 }, () => server.run("2"));
    await syncAll(server.deps(), "2");
    const lost = runs[137]?.info.run_id ?? "";
    server.runs.delete(lost);
    expect((await syncAll(server.deps(), "2")).step).toMatchObject({ counts: { runs: 249, deleted: 1 } });
    expect(await shown(lost)).toMatchObject({ lifecycle_stage: "deleted" });
    const calls = server.called.length;
    expect((await syncAll(server.deps(), "2")).step).toMatchObject({ counts: { runs: 249, ...NO_CHANGE } });
    expect(server.called.length - calls, "it is not looked for again").toBe(3);
  });

  it("goes on where it was when MLflow fails, and counts nothing twice", async () => {
    const server = new TrackingServer();
    server.experiment("3", "shaky");
    for (let i = 0; i < 450; i++) server.run("3");
    const deps = server.deps();
    const shaky = {
      ...deps,
      mlflow: {
        ...deps.mlflow,
        searchRuns: async (search: Parameters<Deps["mlflow"]["searchRuns"]>[0]) => {
          server.isAway = search.pageToken === "200" && server.called.length < 4;
          return deps.mlflow.searchRuns(search);
        },
      },
    };
    const job = syncJob("3");
    const cut = await syncExperiment(shaky, job);
    expect(cut).toMatchObject({ kind: "continue", counts: { runs: 200, created: 200 } });
    if (cut.kind !== "continue") throw new Error(cut.kind);
    server.isAway = true;
    const away = await syncExperiment(deps, { ...job, ...cut });
    expect(away).toMatchObject({ kind: "failed", failure: { kind: "transient" } });
    server.isAway = false;
    const done = await syncExperiment(deps, { ...job, ...cut });
    expect(done).toMatchObject({ kind: "done", counts: { runs: 450, created: 450, unchanged: 0 } });
  });

  it("finds an experiment by name, also by one that it had before, and cancels for none", async () => {
    const server = new TrackingServer();
    server.experiment("4", "before");
    server.run("4");
    expect((await syncAll(server.deps(), "name:before")).step).toMatchObject({
      kind: "done",
      counts: { runs: 1 },
    });
    server.experiment("4", "after");
    expect((await syncAll(server.deps(), "name:before")).step).toMatchObject({
      kind: "done",
      counts: { runs: 1 },
    });
    expect((await request("/api/experiments/4")).body).toMatchObject({
      name: "after",
      former_names: ["before"],
    });
    expect((await syncAll(server.deps(), "name:none")).step).toEqual({
      kind: "cancel",
      reason: 'MLflow has no experiment "none"',
    });
    server.experiments.delete("4");
    expect((await syncAll(server.deps(), "4")).step).toMatchObject({ kind: "cancel" });
    expect((await request("/api/experiments/4")).body).toMatchObject({ lifecycle_stage: "deleted" });
  });
});

describe("runs with Thunderline's tags", () => {
  it("are linked to the trial that has none, the oldest first; the others are reported once", async () => {
    const server = new TrackingServer();
    server.experiment("5", "linking");
    await trial("l1");
    const [oldest, second] = [server.run("5", tagged("l1")), server.run("5", tagged("l1"))];
    server.run("5", tagged("nobody"));
    const deps = server.deps();
    const step = { kind: "done", counts: { linked: 1, doubles: 1, created: 3 } };
    expect((await syncAll(deps, "5")).step).toMatchObject(step);
    expect(await runOf("l1")).toBe(oldest.info.run_id);
    expect(await shown(oldest.info.run_id)).toMatchObject({ trial: { trial_id: "l1" }, double_of: null });
    expect(await shown(second.info.run_id)).toMatchObject({
      trial: null,
      double_of: { trial_id: "l1" },
      lifecycle_stage: "active",
    });
    const { step: again } = await syncAll(deps, "5");
    expect(again.kind === "done" && again.counts.doubles).toBeUndefined();
    const { results } = await db
      .prepare("select kind, field, kept, refused, source from conflicts where kind = 'double_run'")
      .all();
    const [kept, refused] = [oldest.info.run_id, second.info.run_id];
    expect(results).toEqual([
      { kind: "double_run", field: "mlflow_run_id", kept, refused, source: "mlflow" },
    ]);
    expect(server.called).not.toContain("runs/delete");
  });

  it("are by policy deleted where they are second, unless the linked one is deleted itself", async () => {
    const server = new TrackingServer();
    server.experiment("6", "deleting");
    await trial("d1");
    await trial("d2");
    const [own, double] = [server.run("6", tagged("d1")), server.run("6", tagged("d1"))];
    const lost = server.run("6", tagged("d2"));
    const deps = server.deps({ RELAY_DOUBLE_RUNS: "delete" });
    expect((await syncAll(deps, "6")).step).toMatchObject({
      counts: { linked: 2, doubles: 1, doubles_deleted: 1 },
    });
    expect([own, double].map((run) => run.info.lifecycle_stage)).toEqual(["active", "deleted"]);
    lost.info.lifecycle_stage = "deleted";
    const spare = server.run("6", tagged("d2"));
    expect((await syncAll(deps, "6")).step).toMatchObject({ counts: { doubles: 1 } });
    expect(spare.info.lifecycle_stage).toBe("active");
  });

  it("are linked though an older one was deleted, or lost, after it was seen", async () => {
    const server = new TrackingServer();
    server.experiment("12", "older");
    await trial("o1");
    await trial("o2");
    const deps = server.deps();
    const [deleted, lost] = [server.run("12", tagged("o1")), server.run("12", tagged("o2"))];
    const [second, other] = [server.run("12", tagged("o1")), server.run("12", tagged("o2"))];
    const { queue } = recordingQueue();
    const job = syncJob("12");
    await syncOnly({ ...deps, jobs: queue }, job);
    deleted.info.lifecycle_stage = "deleted";
    server.runs.delete(lost.info.run_id);
    for (const run of [second, other, deleted, lost])
      await follow(deps, { kind: "follow", runId: run.info.run_id });
    expect([await runOf("o1"), await runOf("o2")]).toEqual([second.info.run_id, other.info.run_id]);
    expect(await shown(deleted.info.run_id)).toMatchObject({ lifecycle_stage: "deleted" });
  });

  it("are left alone while the trial's own create call may have made them", async () => {
    const server = new TrackingServer();
    server.experiment("7", "in doubt");
    await trial("c1");
    await db.prepare("update streams set create_sent_at = 1 where trial_id = 'c1'").run();
    server.run("7", tagged("c1"));
    expect((await syncAll(server.deps(), "7")).step).toMatchObject({ kind: "done", counts: { created: 1 } });
    expect(await runOf("c1")).toBeNull();
  });
});

describe("the cron's pull", () => {
  const budget = { afterId: 0, maxRuns: 1_000, maxMs: 60_000 };

  it("follows linked runs that have not ended, and those that MLflow lost", async () => {
    const server = new TrackingServer();
    server.experiment("8", "running");
    await trial("p1");
    await trial("p2");
    const [one, other] = [server.run("8", tagged("p1")), server.run("8", tagged("p2"))];
    const deps = server.deps();
    await syncAll(deps, "8");
    await db.prepare("update streams set delivered_at = null").run();
    one.info.status = "FINISHED";
    server.runs.delete(other.info.run_id);
    const pulled = await pullRunning(deps, budget);
    expect(pulled.next_id).toBe(0);
    expect(await shown(one.info.run_id)).toMatchObject({ status: "FINISHED" });
    expect(await shown(other.info.run_id)).toMatchObject({ lifecycle_stage: "deleted" });
  });

  it("lets a trial go on whose run is active again in MLflow, and no other", async () => {
    const server = new TrackingServer();
    server.experiment("9", "restored");
    for (const id of ["g1", "g2", "g3", "g4"]) await trial(id);
    const [back, gone] = ["g1", "g2"].map((id) => server.run("9", tagged(id)));
    const deps = server.deps();
    await syncAll(deps, "9");
    if (!back || !gone) throw new Error("two runs were made");
    const block = (id: string, kind: string, on: string) =>
      db
        .prepare("update streams set blocked_kind = ?2, blocked_on = ?3 where trial_id = ?1")
        .bind(id, kind, on)
        .run();
    await block("g1", "gone_run", back.info.run_id);
    await block("g2", "gone_run", gone.info.run_id);
    await block("g3", "gone_experiment", "restored");
    await block("g4", "gone_experiment", "none");
    gone.info.lifecycle_stage = "deleted";
    expect(await pullRunning(deps, budget)).toMatchObject({ unblocked: 2, next_id: 0 });
    const { results } = await db
      .prepare("select trial_id from streams where blocked_kind is not null order by trial_id")
      .all();
    expect(results).toEqual([{ trial_id: "g2" }, { trial_id: "g4" }]);
  });

  it("looks at so many, and goes on behind them", async () => {
    const server = new TrackingServer();
    server.experiment("11", "many");
    for (const id of ["r1", "r2", "r3"]) {
      await trial(id);
      server.run("11", tagged(id));
    }
    const deps = server.deps();
    await syncAll(deps, "11");
    const id = (trialId: string) =>
      db.prepare("select id from streams where trial_id = ?1").bind(trialId).first<number>("id");
    const afterId = ((await id("r1")) ?? 0) - 1;
    const first = await pullRunning(deps, { ...budget, afterId, maxRuns: 2 });
    expect(first).toMatchObject({ looked_at: 2, next_id: await id("r2") });
    const rest = await pullRunning(deps, { ...budget, afterId: first.next_id, maxRuns: 2 });
    expect(rest).toMatchObject({ looked_at: 1, next_id: 0 });
  });

  it("stops where MLflow is away, and goes on there", async () => {
    const server = new TrackingServer();
    server.isAway = true;
    const report = await pullRunning(server.deps(), { ...budget, afterId: 1 });
    expect(report).toMatchObject({ looked_at: 0, next_id: 1 });
  });
});

describe("watches", () => {
  const add = (body: object) => request("/api/sync/watches", { method: "POST", body: JSON.stringify(body) });

  it("are added once, listed with their last job, and taken away", async () => {
    const first = await add({ experiment_id: "77" });
    expect(first).toMatchObject({ status: 201, body: { experiment_id: "77", experiment_name: null } });
    expect(await add({ experiment_id: "77" })).toMatchObject({
      status: 200,
      body: { id: Object(first.body).id },
    });
    expect(await add({ experiment_name: "77" })).toMatchObject({
      status: 201,
      body: { experiment_name: "77" },
    });
    const { sent, queue } = recordingQueue();
    const deps = { ...new TrackingServer().deps(), jobs: queue };
    expect(await pullWatched(deps)).toBe(2);
    expect(await pullWatched(deps)).toBe(2);
    expect(sent, "a job that is outstanding is not asked for again").toHaveLength(2);
    const { body } = await request("/api/sync/watches");
    expect(body).toMatchObject({
      watches: [
        { experiment_id: "77", last_job: { state: "queued", counts: {}, error: null } },
        { experiment_name: "77", last_job: { state: "queued" } },
      ],
    });
    const { results } = await db.prepare("select target, origin from jobs order by target").all();
    expect(results).toEqual([
      { target: "77", origin: "cron" },
      { target: "name:77", origin: "cron" },
    ]);
    const path = `/api/sync/watches/${Object(first.body).id}`;
    expect(await request(path, { method: "DELETE" })).toMatchObject({
      status: 200,
      body: { experiment_id: "77" },
    });
    expect((await request(path, { method: "DELETE" })).status).toBe(404);
  });

  it.each([{}, { experiment_id: "1", experiment_name: "a" }, { experiment_id: "a b" }, { experiment: "1" }])(
    "are not %j",
    async (body) => {
      expect((await add(body)).status).toBe(400);
    },
  );
});

describe("GET /api/runs/:id/metrics/:key", () => {
  afterEach(() => vi.unstubAllGlobals());

  async function runWithHistory(points: number, status: string) {
    const server = new TrackingServer();
    server.experiment("10", "histories");
    const { run_id } = server.run("10", {}, { status }).info;
    await syncAll(server.deps(), "10");
    const history = Array.from({ length: points }, (_, step) => ({
      key: "loss",
      step,
      timestamp: 1_000 + step,
      value: step === 3 ? "NaN" : step / 7,
    }));
    server.histories.set(`${run_id} loss`, history);
    vi.stubGlobal("fetch", server.fetch);
    const asked = () => server.called.filter((endpoint) => endpoint === "metrics/get-history").length;
    return { server, run_id, history, asked };
  }
  const read = (runId: string, query = "") => request(`/api/runs/${runId}/metrics/loss?${query}`);

  it("reads a long history from MLflow once, and keeps it", async () => {
    const { run_id, asked } = await runWithHistory(60_000, "FINISHED");
    const whole = await read(run_id, "max_points=50000");
    expect(whole).toMatchObject({ status: 200, body: { key: "loss", total: 60_000, downsampled: true } });
    const part = await read(run_id, "from_step=2&to_step=4");
    expect(part.body).toEqual({
      key: "loss",
      points: [
        { step: 2, timestamp: 1_002, value: 2 / 7 },
        { step: 3, timestamp: 1_003, value: "NaN" },
        { step: 4, timestamp: 1_004, value: 4 / 7 },
      ],
      total: 3,
      downsampled: false,
      read_at: Object(whole.body).read_at,
    });
    expect(asked()).toBe(1);
    const pages = db.prepare(
      "select count(*) as n, max(length(points)) as bytes from history_pages where mlflow_run_id = ?1",
    );
    const stored = await pages.bind(run_id).first<{ n: number; bytes: number }>();
    expect(stored?.n).toBeGreaterThan(2);
    expect(stored?.bytes).toBeLessThan(1_000_000);
  });

  it("asks again once an ended run was seen to have changed", async () => {
    const { server, run_id, history, asked } = await runWithHistory(5, "FINISHED");
    await read(run_id);
    await db.prepare("update history_pages set read_at = read_at - 3600000").run();
    await db.prepare("update mlflow_runs set synced_at = 1 where mlflow_run_id = ?1").bind(run_id).run();
    expect((await read(run_id)).body).toMatchObject({ total: 5 });
    expect(asked()).toBe(1);
    const grown = [...history, { key: "loss", step: 5, timestamp: 1_005, value: 1 }];
    server.histories.set(`${run_id} loss`, grown);
    await db.prepare("update mlflow_runs set synced_at = ?1").bind(Date.now()).run();
    expect((await read(run_id)).body).toMatchObject({ total: 6 });
    expect(asked()).toBe(2);
  });

  it("asks again after a while for a run that goes on, and shows what it has while MLflow is away", async () => {
    const { server, run_id, asked } = await runWithHistory(5, "RUNNING");
    await read(run_id);
    await read(run_id);
    expect(asked()).toBe(1);
    await db.prepare("update history_pages set read_at = read_at - 3600000").run();
    server.isAway = true;
    expect((await read(run_id)).body).toMatchObject({ total: 5 });
    server.isAway = false;
    await read(run_id);
    expect(asked()).toBe(3);
  });

  it("answers 503 with Retry-After where it has nothing, and 404 where there is nothing", async () => {
    const { server, run_id } = await runWithHistory(5, "RUNNING");
    server.isAway = true;
    const { status, headers } = await read(run_id);
    expect([status, headers.get("retry-after")]).toEqual([503, "30"]);
    server.isAway = false;
    expect((await request(`/api/runs/${run_id}/metrics/none`)).status).toBe(404);
    expect((await read("f".repeat(32))).status).toBe(404);
  });
});
