import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { consumeDead } from "../../src/relay/consume-dead.ts";
import { reconcile } from "../../src/relay/cron/pass.ts";
import type { Deps } from "../../src/relay/deps.ts";
import { followRun, sendDue } from "../../src/relay/follow/follow.ts";
import { pullStream } from "../../src/relay/follow/pull.ts";
import { pullRunning } from "../../src/relay/follow/running.ts";
import type { JobStep } from "../../src/relay/jobs/step.ts";
import { syncExperiment } from "../../src/relay/jobs/sync-experiment.ts";
import type { RelayMessage } from "../../src/relay/messages.ts";
import { dueToFollow, markToFollow, noteFollowed, takeAttempt } from "../../src/store/mirror/marks.ts";
import { post } from "./api.ts";
import { invocation } from "./endless.ts";
import { follow, syncJob, syncExperiment as syncWhole, thunderlineTags } from "./following.ts";
import { messageOf } from "./invocations.ts";
import { recordingQueue } from "./job-tools.ts";
import { TrackingServer } from "./tracking-server.ts";

const { DB: db } = env;

let worlds = 0;

/** A trial whose run was edited in MLflow, and nobody has looked since. */
async function edited() {
  const id = `marked-${++worlds}`;
  const server = new TrackingServer();
  server.experiment(id, id);
  await post({ event: "ml.trial.start", model_run_id: "marks", trial_id: id, spectral_norm: true });
  const tags = thunderlineTags(id, "marks");
  const run = server.run(id, { tags });
  const deps = server.deps();
  const job = (progress: string | null) => syncJob(id, progress);
  const linked = await syncWhole(deps, job(null));
  expect(linked).toMatchObject({ kind: "continue", counts: {} });
  const edit = (value: string) => {
    run.data.tags = [...tags, { key: "note", value }];
  };
  edit("edited");
  const takeBack = () => {
    run.data.tags = tags;
  };
  const note = () =>
    db
      .prepare(
        "select value from tags t join streams s on s.id = t.stream_id where s.trial_id = ?1 and t.key = 'note' and removed_at is null",
      )
      .bind(id)
      .first<string>("value");
  const reads = () => server.called.filter((endpoint) => endpoint === "runs/get").length;
  const message: RelayMessage = { kind: "follow", runId: run.info.run_id };
  return { deps, run, job, edit, takeBack, note, reads, message };
}

/** A look at all runs that go on; what it sends is lost. */
const look = (deps: Deps) => pullRunning(deps, { afterId: 0, maxRuns: 5_000, maxMs: 60_000 });

/** The cron's pass, what it tells, and the messages that it sends for this run. */
async function pass(deps: Deps, message: RelayMessage) {
  const { sent, queue } = recordingQueue();
  const report = await reconcile({ ...deps, jobs: queue });
  return { report, sent: sent.filter(({ body }) => JSON.stringify(body) === JSON.stringify(message)) };
}

/** A database that has nothing to do with a statement. */
function failsAt(part: string): D1Database {
  return new Proxy(db, {
    get: (target, name) => {
      const value = Reflect.get(target, name);
      if (name !== "prepare") return typeof value === "function" ? value.bind(target) : value;
      return (query: string) => {
        if (query.includes(part)) throw new Error("it is over");
        return target.prepare(query);
      };
    },
  });
}

/** The messages that a pass sends for this run, without its look, which would mark it anew. */
async function send(deps: Deps, message: RelayMessage) {
  const { sent, queue } = recordingQueue();
  await sendDue({ ...deps, jobs: queue });
  return { sent: sent.filter(({ body }) => JSON.stringify(body) === JSON.stringify(message)) };
}

describe("a run that a look has marked", () => {
  it("is followed by the cron where its message was lost, and counted in the pass after", async () => {
    const { deps, note, message } = await edited();
    await look(deps);
    expect(await note()).toBeNull();
    const { sent } = await pass(deps, message);
    expect(sent).toHaveLength(1);
    await follow(deps, message);
    expect(await note()).toBe("edited");
    const { report, sent: again } = await pass(deps, message);
    expect(report).toMatchObject({ merged_runs: 1, merge_conflicts: 0 });
    expect(again, "it is not sent once more").toEqual([]);
    expect((await pass(deps, message)).report).toMatchObject({ merged_runs: 0 });
  });

  it("is read once, however often its message comes", async () => {
    const { deps, reads, message } = await edited();
    await look(deps);
    const before = reads();
    for (let i = 0; i < 3; i++) await follow(deps, message);
    expect(reads() - before).toBe(1);
  });

  it("waits while MLflow is not to be called, which is no attempt", async () => {
    const { deps, note, reads, message } = await edited();
    await look(deps);
    const before = reads();
    await follow({ ...deps, guard: new TrackingServer().deps({ MLFLOW_ENABLED: "false" }).guard }, message);
    expect([await note(), reads() - before]).toEqual([null, 0]);
    await follow(deps, message);
    expect(await note()).toBe("edited");
  });

  it("is followed once more where it was edited again meanwhile", async () => {
    const { deps, run, edit, note, message } = await edited();
    await look(deps);
    const getRun: Deps["mlflow"]["getRun"] = async (id) => {
      const seen = await deps.direct.getRun(id);
      if (id !== run.info.run_id) return seen;
      edit("again");
      await look(deps);
      return seen;
    };
    await follow({ ...deps, direct: { ...deps.direct, getRun } }, message);
    expect(await note()).toBe("edited");
    await follow(deps, message);
    expect(await note()).toBe("again");
  });

  it("is as in MLflow where the edit was taken back while it was merged, and a look saw that", async () => {
    const { deps, run, takeBack, note, message } = await edited();
    await look(deps);
    const getRun: Deps["mlflow"]["getRun"] = async (id) => {
      const seen = await deps.direct.getRun(id);
      if (id !== run.info.run_id) return seen;
      takeBack();
      await look({ ...deps, now: () => Date.now() + 1 });
      return seen;
    };
    await follow({ ...deps, direct: { ...deps.direct, getRun } }, message);
    await look(deps);
    await follow(deps, message);
    expect(await note()).toBeNull();
  });

  it.each([
    { was: "was marked just now", failed: false },
    { was: "failed before", failed: true },
  ])(
    "has its turn where it $was, though so many fail in every pass and are marked by every look",
    async ({ failed }) => {
      await db
        .prepare(
          `with recursive n(i) as (select 1 union all select i + 1 from n where i < 350)
         insert into mlflow_runs (mlflow_run_id, mlflow_experiment_id, status, lifecycle_stage, data, synced_at, follow_at, followed_at)
         select printf('%032d', i), 'failing', 'RUNNING', 'active', '{}', 0, 0, ?1 from n`,
        )
        .bind(Date.now() + 60_000)
        .run();
      const { deps, note, message } = await edited();
      await look(deps);
      if (failed) {
        const getRun = async () => Promise.reject(new Error("D1_ERROR: overloaded"));
        await follow({ ...deps, direct: { ...deps.direct, getRun } }, message);
      }
      const later = { ...deps, now: () => Date.now() + 300_000 };
      const { sent } = await send(later, message);
      await db.prepare("delete from mlflow_runs where mlflow_experiment_id = 'failing'").run();
      expect(sent).toHaveLength(1);
      await follow(later, message);
      expect(await note()).toBe("edited");
    },
  );

  it("is as in MLflow where the edit was taken back once it was merged, before the mirror had it", async () => {
    const { deps, run, takeBack, note, message } = await edited();
    const id = await db
      .prepare("select stream_id as id from mlflow_runs where mlflow_run_id = ?1")
      .bind(run.info.run_id)
      .first<number>("id");
    const dying = failsAt("insert into mlflow_runs");
    const pulling = { ...invocation(deps), db: dying };
    await expect(pullStream(pulling, id ?? 0, null)).rejects.toThrow("it is over");
    expect(await note()).toBe("edited");
    takeBack();
    await look(deps);
    expect((await send(deps, message)).sent).toHaveLength(1);
    await follow(deps, message);
    expect(await note()).toBeNull();
  });

  it("leaves nothing behind where its message is dead: the cron finds it", async () => {
    const { deps, message } = await edited();
    await look(deps);
    const letters = () => db.prepare("select count(*) as n from dead_letters").first("n");
    const before = await letters();
    await consumeDead(deps, [messageOf(message, 0)]);
    expect(await letters()).toBe(before);
    expect((await pass(deps, message)).sent).toHaveLength(1);
  });
});

it("of more runs than a pass has messages for one that is edited without end comes behind the others", async () => {
  await db.prepare("update mlflow_runs set follow_at = null").run();
  const runs: string[] = [];
  for (let i = 0; i < 5; i++) runs.push((await edited()).run.info.run_id);
  const begun = Date.now();
  const seen: string[] = [];
  for (let pass = 1; pass <= 3; pass++) {
    const now = begun + 1_000 * pass;
    await markToFollow(db, runs);
    for (const run of await dueToFollow(db, now, 2)) {
      seen.push(run);
      const attempt = await takeAttempt(db, run, now, now + 10);
      if (attempt === null) throw new Error(`${run} is not due`);
      await noteFollowed(db, attempt, { isOver: true, counts: {} }, now);
    }
  }
  expect(seen.slice(0, 5).toSorted()).toEqual(runs.toSorted());
  expect(seen.slice(0, 2)).toContain(seen[5]);
});

describe("a job", () => {
  /** A message of the job by itself; what it sends. */
  async function step(deps: Deps, job: Parameters<typeof syncExperiment>[1]) {
    const { sent, queue } = recordingQueue();
    const came: JobStep = await syncExperiment({ ...deps, jobs: queue }, job);
    return { came, sent: sent.map(({ body }) => body) };
  }

  it("is over once each run that it has marked was tried, and tells what came of them", async () => {
    const { deps, job, message, note } = await edited();
    const first = await step(deps, job(null));
    expect(first.sent).toEqual([message]);
    if (first.came.kind !== "continue") throw new Error(first.came.kind);
    expect(first.came.delayMs).toBeGreaterThan(0);
    const waiting = await step(deps, job(first.came.progress));
    expect(waiting.came, "its message is on its way").toMatchObject({ kind: "continue" });
    await follow(deps, message);
    expect(await note()).toBe("edited");
    const last = await step(deps, job(first.came.progress));
    expect(last).toMatchObject({ came: { kind: "done", counts: { merged: 1 } }, sent: [] });
  });

  it("does not wait for one that fails, which the cron tries again", async () => {
    const { deps, run, job, message, note } = await edited();
    const first = await step(deps, job(null));
    if (first.came.kind !== "continue") throw new Error(first.came.kind);
    const getRun = async () => Promise.reject(new Error("D1_ERROR: overloaded"));
    await follow({ ...deps, direct: { ...deps.direct, getRun } }, message);
    const last = await step(deps, job(first.came.progress));
    expect(last.came).toMatchObject({ kind: "done", counts: { failed: 1 } });
    const later = { ...deps, now: () => Date.now() + 300_000 };
    await follow(later, { kind: "follow", runId: run.info.run_id });
    expect(await note()).toBe("edited");
  });

  it("tells of a run as failed whose attempt ended with its invocation", async () => {
    const { deps, run, job, message } = await edited();
    const first = await step(deps, job(null));
    if (first.came.kind !== "continue") throw new Error(first.came.kind);
    const dying = failsAt("iif(?3 and follow_at");
    const runId = run.info.run_id;
    await expect(followRun({ ...invocation(deps), db: dying }, runId)).rejects.toThrow("it is over");
    await follow(deps, message);
    const last = await step(deps, job(first.came.progress));
    expect(last.came).toMatchObject({ kind: "done", counts: { failed: 1 } });
  });

  it("ends where a run that it waited for is marked anew again and again", async () => {
    const { deps, job, message } = await edited();
    const first = await step(deps, job(null));
    if (first.came.kind !== "continue") throw new Error(first.came.kind);
    const getRun = async () => Promise.reject(new Error("D1_ERROR: overloaded"));
    await follow({ ...deps, direct: { ...deps.direct, getRun } }, message);
    await look(deps);
    const last = await step(deps, job(first.came.progress));
    expect(last.came).toMatchObject({ kind: "done", counts: { failed: 1 } });
  });

  it("tells no failure of a run that was merged in the end", async () => {
    const { deps, job, message, run } = await edited();
    const first = await step(deps, job(null));
    if (first.came.kind !== "continue") throw new Error(first.came.kind);
    const getRun = async () => Promise.reject(new Error("D1_ERROR: overloaded"));
    await follow({ ...deps, direct: { ...deps.direct, getRun } }, message);
    const other = `${run.info.run_id.slice(1)}f`;
    await db
      .prepare(
        `insert into mlflow_runs (mlflow_run_id, mlflow_experiment_id, status, lifecycle_stage, data, synced_at, follow_at)
         values (?1, ?2, 'RUNNING', 'active', '{}', 0, 0)`,
      )
      .bind(other, run.info.experiment_id)
      .run();
    const waiting = await step(deps, job(first.came.progress));
    if (waiting.came.kind !== "continue") throw new Error(waiting.came.kind);
    expect(waiting.came.counts).toMatchObject({ failed: 1 });
    await look(deps);
    await follow(deps, message);
    await follow(deps, { kind: "follow", runId: other });
    const { came } = await step(deps, { ...job(waiting.came.progress), counts: waiting.came.counts });
    expect(came).toMatchObject({ kind: "done", counts: { merged: 1 } });
    expect(Object(came).counts).not.toHaveProperty("failed");
  });

  it("that an older build began goes on", async () => {
    const { deps, job, run } = await edited();
    const progress = {
      experimentId: run.info.experiment_id,
      phase: "missing",
      pageToken: null,
      counted: 3,
      handled: [run.info.run_id],
      after: "",
    };
    expect((await step(deps, job(JSON.stringify(progress)))).came).toMatchObject({ kind: "done" });
  });
});
