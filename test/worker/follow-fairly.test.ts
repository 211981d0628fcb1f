import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { reconcile } from "../../src/relay/cron/pass.ts";
import type { Deps } from "../../src/relay/deps.ts";
import type { Job, JobStep } from "../../src/relay/jobs/step.ts";
import { syncExperiment as syncExperimentAlone } from "../../src/relay/jobs/sync-experiment.ts";
import { unblock } from "../../src/relay/repair/unblock.ts";
import { RUN_STATEMENTS } from "../../src/relay/stream/under-lease.ts";
import { ENDING_STATEMENTS } from "../../src/store/database/budget.ts";
import { NOTHING_DONE, storePass } from "../../src/store/ops/passes.ts";
import { post } from "./api.ts";
import { invocation } from "./endless.ts";
import { follow, pullRunning, syncExperiment, thunderlineTags } from "./following.ts";
import { recordingQueue } from "./job-tools.ts";
import { metered } from "./metered.ts";
import { TrackingServer } from "./tracking-server.ts";

const { DB: db } = env;
const budget = { maxRuns: 1_000, maxMs: 60_000 };
/** What is kept back, what a look may take at most, and some fifteen looks. */
const FEW_STATEMENTS = ENDING_STATEMENTS + RUN_STATEMENTS + 100;

type MlflowRun = ReturnType<TrackingServer["run"]>;

function tagged(trialId: string, more: MlflowRun["data"] = {}): MlflowRun["data"] {
  const tags = thunderlineTags(trialId, "fair");
  return { ...more, tags };
}

const trial = (trial_id: string) =>
  post({ event: "ml.trial.start", model_run_id: "fair", trial_id, spectral_norm: true });

function jobOf(target: string, progress: string | null): Job {
  return { id: "j", action: "sync_experiment", target, progress, counts: {} };
}

async function message(deps: Deps, target: string, progress: string | null): Promise<JobStep> {
  return syncExperiment(invocation(deps), jobOf(target, progress));
}

async function syncAll(deps: Deps, target: string): Promise<JobStep> {
  let step = await message(deps, target, null);
  while (step.kind === "continue") step = await message(deps, target, step.progress);
  return step;
}

/** Trials with their runs, all looked at once. @returns the runs, and the id before the first stream */
async function world(server: TrackingServer, experimentId: string, trials: number) {
  server.experiment(experimentId, experimentId);
  const ids = Array.from({ length: trials }, (_, i) => `${experimentId}-${i}`);
  for (const id of ids) await trial(id);
  const runs = ids.map((id) => server.run(experimentId, tagged(id)));
  const deps = server.deps();
  expect(await syncAll(deps, experimentId)).toMatchObject({ kind: "done" });
  await db.prepare("update streams set delivered_at = null").run();
  return { deps, runs, afterId: (await streamOf(`${experimentId}-0`)) - 1 };
}

async function streamOf(trialId: string): Promise<number> {
  const query = db.prepare("select id from streams where trial_id = ?1").bind(trialId);
  return (await query.first<number>("id")) ?? 0;
}

/** As after a delivery to every trial. */
async function deliverAll(): Promise<void> {
  await db
    .prepare("update streams set delivered_at = ?1")
    .bind(Date.now() + 1_000)
    .run();
}

const edit = (run: MlflowRun | undefined, value: string) => run?.data.tags?.push({ key: "note", value });
const noteOf = (trialId: string) =>
  db
    .prepare(
      "select value from tags t join streams s on s.id = t.stream_id where s.trial_id = ?1 and t.key = 'note'",
    )
    .bind(trialId)
    .first<string>("value");

/** The same, but that reading one run does something else. */
function readingOf(deps: Deps, run: MlflowRun | undefined, getRun: Deps["mlflow"]["getRun"]): Deps {
  const isIt = (id: string) => id === run?.info.run_id;
  return {
    ...deps,
    direct: { ...deps.direct, getRun: (id) => (isIt(id) ? getRun(id) : deps.direct.getRun(id)) },
  };
}

describe("many trials that log all the time", () => {
  it("each have their turn in the passes of the cron, the last one too", async () => {
    const { deps, runs, afterId } = await world(new TrackingServer(), "f1", 50);
    edit(runs.at(-1), "edited");
    let at = afterId;
    let passes = 0;
    for (; (await noteOf("f1-49")) === null && passes < 10; passes++) {
      await deliverAll();
      const { looked_at, next_id } = await pullRunning(invocation(deps, FEW_STATEMENTS), {
        ...budget,
        afterId: at,
      });
      expect(looked_at).toBeGreaterThan(0);
      expect(next_id === 0 || next_id > at).toBe(true);
      at = next_id;
    }
    expect(await noteOf("f1-49")).toBe("edited");
    expect(passes).toBeLessThanOrEqual(5);
  });

  it("do not keep a job for their experiment from its end, or the last one's edit from it", async () => {
    const { deps, runs } = await world(new TrackingServer(), "f2", 180);
    for (const run of runs.slice(90)) edit(run, "edited");
    let step: JobStep = { kind: "continue", progress: "", counts: {}, delayMs: 0 };
    let messages = 0;
    for (let progress: string | null = null; step.kind === "continue" && messages < 10; messages++) {
      await deliverAll();
      step = await message(deps, "f2", progress);
      if (step.kind === "continue") progress = step.progress;
    }
    expect(step.kind).toBe("done");
    expect(messages).toBeGreaterThan(1);
    expect(await noteOf("f2-179")).toBe("edited");
  });

  it("cost a look the same few statements however many they are", async () => {
    const { deps, afterId } = await world(new TrackingServer(), "f11", 60);
    const statementsOf = async (maxRuns: number) => {
      await deliverAll();
      const { db: real, meter } = metered(db);
      const { looked_at } = await pullRunning({ ...deps, db: real }, { ...budget, afterId, maxRuns });
      expect(looked_at).toBe(maxRuns);
      return meter.statements;
    };
    expect(await statementsOf(60)).toBe(await statementsOf(2));
  });
});

it("merges no more in a message than an invocation has statements for", async () => {
  const { deps, runs } = await world(new TrackingServer(), "f3", 40);
  for (const run of runs) edit(run, "edited");
  let messages = 0;
  const inOne = async <T>(work: (deps: Deps) => Promise<T>): Promise<T> => {
    messages++;
    const { db: real, meter } = metered(db);
    const done = await work({ ...deps, db: real });
    expect(meter.statements).toBeLessThan(1_000);
    return done;
  };
  let progress: string | null = null;
  for (let isOver = false; !isOver; ) {
    const { sent, queue } = recordingQueue();
    const job = jobOf("f3", progress);
    const step: JobStep = await inOne((deps) => syncExperimentAlone({ ...deps, jobs: queue }, job));
    for (const { body } of sent) await inOne((deps) => follow(deps, body));
    isOver = step.kind !== "continue";
    if (step.kind === "continue") progress = step.progress;
  }
  expect(messages).toBeGreaterThan(2);
  expect(await noteOf("f3-39")).toBe("edited");
});

const failed = {
  ok: false as const,
  failure: {
    kind: "transient" as const,
    message: "INTERNAL_ERROR",
    status: 500,
    code: "INTERNAL_ERROR",
    retryAfterMs: null,
  },
};

describe("a run that cannot be followed", () => {
  it("keeps no other from being followed where the relay's own database fails, and is looked at again", async () => {
    const { deps, runs, afterId } = await world(new TrackingServer(), "f4", 2);
    for (const run of runs) edit(run, "edited");
    const broken = readingOf(deps, runs[0], () => Promise.reject(new Error("D1_ERROR: overloaded")));
    const all = { ...budget, afterId };
    expect(await pullRunning(broken, all)).toMatchObject({ looked_at: 2, merged: 1, next_id: 0 });
    expect([await noteOf("f4-0"), await noteOf("f4-1")]).toEqual([null, "edited"]);
    await pullRunning(deps, all);
    expect(await noteOf("f4-0")).toBe("edited");
  });

  it("keeps no other from being followed where what the relay has of it cannot be read", async () => {
    const server = new TrackingServer();
    const { deps, runs, afterId } = await world(server, "f12", 4);
    for (const run of runs.slice(0, 3)) edit(run, "edited");
    await deliverAll();
    const id = await streamOf("f12-1");
    const { core } = (await db.prepare("select core from trials where id = ?1").bind(id).first()) ?? {};
    const write = (text: unknown) =>
      db.prepare("update trials set core = ?2 where id = ?1").bind(id, text).run();
    await write("{");
    server.called.length = 0;
    expect(await pullRunning(deps, { ...budget, afterId })).toMatchObject({ looked_at: 4, merged: 2 });
    const asked = server.called.filter((endpoint) => endpoint === "runs/get");
    expect(asked, "the fourth says nothing new, and is not read again").toHaveLength(3);
    expect([await noteOf("f12-0"), await noteOf("f12-2")]).toEqual(["edited", "edited"]);
    await write(core);
    await pullRunning(deps, { ...budget, afterId });
    expect(await noteOf("f12-1")).toBe("edited");
  });

  it("does not have every pass and every message begin with it where MLflow always fails for it", async () => {
    const { deps, runs, afterId } = await world(new TrackingServer(), "f5", 3);
    for (const run of runs) edit(run, "edited");
    const broken = readingOf(deps, runs[0], async () => failed);
    const all = { ...budget };
    const first = await pullRunning(broken, { ...all, afterId });
    expect(first, "the others do not wait for another pass").toMatchObject({ merged: 2, next_id: 0 });
    edit(runs[2], "again");
    const step = await message(broken, "f5", null);
    if (step.kind !== "continue") throw new Error(step.kind);
    expect(await message(broken, "f5", step.progress)).toMatchObject({ kind: "done" });
  });

  it.each([{ alone: false }, { alone: true }])(
    "keeps no other from being looked at where MLflow fails for every search of it (alone on its page: $alone)",
    async ({ alone }) => {
      const id = `f13-${alone}`;
      const { deps, runs, afterId } = await world(new TrackingServer(), id, alone ? 1 : 7);
      for (const run of runs) edit(run, "edited");
      const poison = runs[alone ? 0 : 2]?.info.run_id ?? "";
      const searchRuns: Deps["mlflow"]["searchRuns"] = async (search) =>
        search.filter?.includes(poison) ? failed : deps.mlflow.searchRuns(search);
      const there = { ok: true as const, value: { items: [], nextPageToken: null } };
      const mlflow = { ...deps.mlflow, searchRuns, searchExperiments: async () => there };
      const looked = await pullRunning({ ...deps, mlflow }, { ...budget, afterId });
      expect(looked).toMatchObject({ looked_at: runs.length - 1, merged: runs.length - 1, next_id: 0 });
      expect(await noteOf(`${id}-6`)).toBe(alone ? null : "edited");
      await pullRunning(deps, { ...budget, afterId });
      expect(await noteOf(`${id}-${alone ? 0 : 2}`), "once it can be searched for").toBe("edited");
    },
  );

  it("keeps no other back where what it needs cannot be asked for", async () => {
    const { deps, afterId } = await world(new TrackingServer(), "f10", 1);
    await trial("f10-lost");
    await db
      .prepare(`update streams set blocked_kind = 'gone_experiment', blocked_on = 'lost' where trial_id = ?1`)
      .bind("f10-lost")
      .run();
    const broken = { ...deps, mlflow: { ...deps.mlflow, getExperimentByName: async () => failed } };
    const first = await pullRunning(broken, { ...budget, afterId: afterId + 1, maxRuns: 1 });
    expect(first.next_id).toBe(await streamOf("f10-lost"));
  });

  it("is looked at later, like the others, where the journal takes nothing", async () => {
    const { deps, runs, afterId } = await world(new TrackingServer(), "f6", 2);
    for (const run of runs) edit(run, "edited");
    const full = { ...deps, config: { ...deps.config, maxDatabaseBytes: 1 } };
    const all = { ...budget, afterId };
    expect(await pullRunning(full, all)).toMatchObject({ looked_at: 2, merged: 0, next_id: 0 });
    expect(await pullRunning(deps, all)).toMatchObject({ merged: 2 });
    expect(await noteOf("f6-1")).toBe("edited");
  });
});

describe("the place where the next pass goes on", () => {
  const next = async (deps: Deps) => (await reconcile(deps))?.next_pull_id;
  const stopAt = (next_pull_id: number) => storePass(db, 1, 2, { ...NOTHING_DONE, next_pull_id });

  it("outlasts a pass that must not pull, and one that fails", async () => {
    const { deps, afterId } = await world(new TrackingServer(), "f7", 1);
    await stopAt(afterId);
    expect(await next({ ...deps, config: { ...deps.config, enabled: false } })).toBe(afterId);
    const searchRuns = () => Promise.reject(new Error("D1_ERROR: overloaded"));
    const failing = { ...deps, mlflow: { ...deps.mlflow, searchRuns } };
    expect(await reconcile(failing)).toMatchObject({
      next_pull_id: afterId,
      error: expect.stringContaining("overloaded"),
    });
    expect(await next(deps)).toBe(0);
  });
});

describe("a second run, where the policy is to delete it", () => {
  const deletes = { RELAY_DOUBLE_RUNS: "delete" };
  const stage = (run: MlflowRun) => run.info.lifecycle_stage;

  it("stays when it holds a parameter or a metric that the linked run lacks", async () => {
    const server = new TrackingServer();
    server.experiment("f8", "f8");
    await trial("own");
    const params = [{ key: "lr", value: "1" }];
    const metrics = [{ key: "loss", value: 1, timestamp: 1, step: 1 }];
    server.run("f8", tagged("own", { params, metrics }));
    const same = server.run("f8", tagged("own", { params: [{ key: "lr", value: "2" }], metrics }));
    const param = server.run("f8", tagged("own", { params: [{ key: "depth", value: "1" }] }));
    const metric = server.run(
      "f8",
      tagged("own", { metrics: [{ key: "acc", value: 1, timestamp: 1, step: 1 }] }),
    );
    expect(await syncAll(server.deps(deletes), "f8")).toMatchObject({
      counts: { doubles: 3, doubles_deleted: 1 },
    });
    expect([same, param, metric].map(stage)).toEqual(["deleted", "active", "active"]);
  });

  it("stays when it is the one that the trial had before it was made anew", async () => {
    const server = new TrackingServer();
    server.experiment("f9", "f9");
    await trial("anew");
    const before = server.run("f9", tagged("anew"));
    const deps = server.deps(deletes);
    await syncAll(deps, "f9");
    before.info.lifecycle_stage = "deleted";
    const id = await streamOf("anew");
    await db.prepare("update streams set blocked_kind = 'gone_run' where id = ?1").bind(id).run();
    expect(await unblock(deps, id, "recreate", false)).toMatchObject({ kind: "done" });
    const after = server.run("f9", tagged("anew"));
    await syncAll(deps, "f9");
    before.info.lifecycle_stage = "active";
    await syncAll(deps, "f9");
    expect([before, after].map(stage)).toEqual(["active", "active"]);
    const own = db.prepare("select mlflow_run_id as run from streams where id = ?1").bind(id);
    expect(await own.first("run")).toBe(after.info.run_id);
  });
});
