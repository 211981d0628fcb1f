import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import type { Deps } from "../../src/relay/deps.ts";
import { sendDue } from "../../src/relay/follow/follow.ts";
import type { JobStep } from "../../src/relay/jobs/step.ts";
import { syncExperiment } from "../../src/relay/jobs/sync-experiment.ts";
import { markToFollow } from "../../src/store/mirror/marks.ts";
import { post } from "./api.ts";
import { follow, syncJob, syncExperiment as syncWhole, thunderlineTags } from "./following.ts";
import { recordingQueue } from "./job-tools.ts";
import { metered } from "./metered.ts";
import { TrackingServer } from "./tracking-server.ts";

/** Runs whose reading takes as long as a call may: what of the jobs' queue they take from all others. */

const { DB: db } = env;
const TIMEOUT_MS = 30_000;
const timedOut = {
  ok: false as const,
  failure: { kind: "transient" as const, message: "timeout", status: null, code: null, retryAfterMs: null },
};

let worlds = 0;

beforeEach(async () => {
  await db.prepare("update mlflow_runs set follow_at = null").run();
});

/** Trials with linked runs that were edited; `hanging`: those whose reading hangs, on a clock that is played. */
async function world(trials: number) {
  const id = `hangs-${++worlds}`;
  const server = new TrackingServer();
  server.experiment(id, id);
  const runs = [];
  for (let i = 0; i < trials; i++) {
    const trial_id = `${id}-${i}`;
    await post({ event: "ml.trial.start", model_run_id: "hangs", trial_id, spectral_norm: true });
    const tags = thunderlineTags(trial_id, "hangs");
    runs.push(server.run(id, { tags }));
  }
  const clock = { now: Date.now() };
  const hanging = new Set<string>();
  const real = server.deps();
  const getRun: Deps["mlflow"]["getRun"] = async (runId) => {
    if (!hanging.has(runId)) return real.direct.getRun(runId);
    clock.now += TIMEOUT_MS;
    return timedOut;
  };
  const deps = { ...real, direct: { ...real.direct, getRun }, now: () => clock.now };
  const job = (progress: string | null) => syncJob(id, progress);
  let step: JobStep = await syncWhole(deps, job(null));
  while (step.kind === "continue") step = await syncWhole(deps, job(step.progress));
  for (const run of runs) run.data.tags?.push({ key: "note", value: "edited" });
  return { deps, clock, job, hanging, ids: runs.map(({ info }) => info.run_id) };
}

/** What the cron's pass sends, and the ids in its order. */
async function sentIn(deps: Deps): Promise<string[]> {
  const { sent, queue } = recordingQueue();
  await sendDue({ ...deps, jobs: queue });
  return sent.flatMap(({ body }) => (body.kind === "follow" ? body.runId : []));
}

async function followAll(deps: Deps, ids: readonly string[]): Promise<void> {
  for (const runId of ids) await follow(deps, { kind: "follow", runId });
}

const isMarked = (id: string) =>
  db
    .prepare("select follow_at is not null as marked from mlflow_runs where mlflow_run_id = ?1")
    .bind(id)
    .first("marked");

describe("runs that hang", () => {
  it("come behind all others and a few a pass, and each has its turn, though every look marks them anew", async () => {
    const { deps, clock, hanging, ids } = await world(10);
    for (const id of ids.slice(0, 8)) hanging.add(id);
    await markToFollow(db, ids);
    await followAll(deps, await sentIn(deps));
    const tried = new Set<string>();
    for (let pass = 0; pass < 4; pass++) {
      clock.now += 300_000;
      await markToFollow(db, ids);
      const sent = await sentIn(deps);
      expect(sent.slice(0, 2).toSorted()).toEqual(ids.slice(8).toSorted());
      const before = clock.now;
      for (const id of sent) {
        const was = clock.now;
        await followAll(deps, [id]);
        if (clock.now > was) tried.add(id);
      }
      expect(clock.now - before).toBeLessThanOrEqual(3 * TIMEOUT_MS);
    }
    expect([...tried].toSorted()).toEqual(ids.slice(0, 8).toSorted());
    hanging.clear();
    for (let pass = 0; pass < 4; pass++) {
      clock.now += 300_000;
      await followAll(deps, await sentIn(deps));
    }
    for (const id of ids) expect(await isMarked(id)).toBe(0);
  });

  it("are soon through when they answer again, but for those that hang still", async () => {
    const { deps, clock, hanging, ids } = await world(40);
    for (const id of ids) hanging.add(id);
    await markToFollow(db, ids);
    await followAll(deps, await sentIn(deps));
    for (const id of ids.slice(4)) hanging.delete(id);
    for (let pass = 0; pass < 2; pass++) {
      clock.now += 300_000;
      const before = clock.now;
      await followAll(deps, await sentIn(deps));
      expect(clock.now - before).toBeLessThanOrEqual(3 * TIMEOUT_MS);
    }
    const marked = await Promise.all(ids.map(isMarked));
    expect(marked.flatMap((is, i) => (is ? [i] : []))).toEqual([0, 1, 2, 3]);
  });

  it("hang no more at once after an hour in which nothing was tried", async () => {
    const { deps, clock, hanging, ids } = await world(20);
    for (const id of ids) hanging.add(id);
    await markToFollow(db, ids);
    await followAll(deps, await sentIn(deps));
    clock.now += 2 * 3_600_000;
    const before = clock.now;
    await followAll(deps, await sentIn(deps));
    expect(clock.now - before).toBe(3 * TIMEOUT_MS);
  });

  it("have their turns while ever more others hang for the first time", async () => {
    const { deps, clock, hanging, ids } = await world(12);
    for (const id of ids) hanging.add(id);
    const [first = "", ...others] = ids;
    await markToFollow(db, [first]);
    await followAll(deps, await sentIn(deps));
    hanging.delete(first);
    clock.now += 300_000;
    await markToFollow(db, others);
    const sent = await sentIn(deps);
    expect(sent.at(-1)).toBe(first);
    await followAll(deps, sent);
    expect(await isMarked(first)).toBe(0);
  });

  it("are not waited for by a job, which tells that they are put off", async () => {
    const { deps, clock, job, hanging, ids } = await world(3);
    hanging.add(ids[0] ?? "");
    await markToFollow(db, ids.slice(0, 1));
    await followAll(deps, await sentIn(deps));
    const before = clock.now;
    clock.now += 1_000;
    let step: JobStep = await syncWhole(deps, job(null));
    while (step.kind === "continue") step = await syncWhole(deps, job(step.progress));
    expect(step).toMatchObject({ kind: "done", counts: { merged: 2, put_off: 1 } });
    expect(clock.now - before).toBeLessThan(TIMEOUT_MS);
    expect(await isMarked(ids[0] ?? "")).toBe(1);
  });

  it("that answer again are as any other run", async () => {
    const { deps, clock, hanging, ids } = await world(1);
    hanging.add(ids[0] ?? "");
    await markToFollow(db, ids);
    await followAll(deps, ids);
    hanging.clear();
    clock.now += 300_000;
    await followAll(deps, ids);
    expect(await isMarked(ids[0] ?? "")).toBe(0);
    const query = "select follow_hangs from mlflow_runs where mlflow_run_id = ?1";
    expect(await db.prepare(query).bind(ids[0]).first("follow_hangs")).toBe(0);
  });
});

it("a job that waits for long does not count all that it has followed each time", async () => {
  const [followed, messages] = [2_000, 60];
  const { deps, clock, job, ids } = await world(1);
  clock.now += 1_000;
  const begun = await syncExperiment({ ...deps, jobs: recordingQueue().queue }, job(null));
  if (begun.kind !== "continue") throw new Error(begun.kind);
  await db
    .prepare(
      `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${followed})
       insert into mlflow_runs (mlflow_run_id, mlflow_experiment_id, status, lifecycle_stage, synced_at, followed_at, followed)
       select 'many-' || i, ?1, 'FINISHED', 'active', 0, ?2, '{"merged":1}' from n`,
    )
    .bind(job(null).target, clock.now)
    .run();
  const { db: counted, meter } = metered(db);
  let step: JobStep = begun;
  for (let message = 0; message < messages && step.kind === "continue"; message++)
    step = await syncExperiment({ ...deps, db: counted, jobs: recordingQueue().queue }, job(step.progress));
  expect(step.kind, "the one run's message is still on its way").toBe("continue");
  expect(meter.rowsRead / followed, meter.worst()).toBeLessThan(messages);
  await followAll(deps, ids);
  if (step.kind !== "continue") throw new Error(step.kind);
  const last = await syncExperiment({ ...deps, jobs: recordingQueue().queue }, job(step.progress));
  expect(last).toMatchObject({ kind: "done", counts: { merged: followed + 1 } });
});
