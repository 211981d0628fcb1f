import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { drive } from "../../src/relay/delivery/drive.ts";
import type { Deps } from "../../src/relay/deps.ts";
import { followRun } from "../../src/relay/follow/follow.ts";
import { lookAtRuns } from "../../src/relay/follow/page.ts";
import { syncExperiment } from "../../src/relay/jobs/sync-experiment.ts";
import { post } from "./api.ts";
import { invocation } from "./endless.ts";
import { FakeMlflow } from "./fake-mlflow.ts";
import { follow, pullRunning, syncJob, thunderlineTags } from "./following.ts";
import { recordingQueue } from "./job-tools.ts";
import { mortal } from "./mortal.ts";
import { TrackingServer } from "./tracking-server.ts";

/** Runs that a look found by a trial's tags, of which something else is true once they are followed. */

const { DB: db } = env;

const tagsOf = (trialId: string) => thunderlineTags(trialId, "found");
const EDITED = { key: "note", value: "edited" };

const trial = (trial_id: string) =>
  post({ event: "ml.trial.start", model_run_id: "found", trial_id, spectral_norm: true });

function world(experimentId: string, vars: object = {}) {
  const server = new TrackingServer();
  server.experiment(experimentId, experimentId);
  return { server, deps: server.deps(vars) };
}

/** A look at an experiment whose messages are lost. */
async function look(deps: Deps, experimentId: string): Promise<void> {
  const job = syncJob(experimentId);
  await syncExperiment({ ...deps, jobs: recordingQueue().queue }, job);
}

type Made = { info: { run_id: string } };
const followOf = (deps: Deps, { info }: Made) => follow(deps, { kind: "follow", runId: info.run_id });

const runOf = (trialId: string) =>
  db.prepare("select mlflow_run_id as id from streams where trial_id = ?1").bind(trialId).first<string>("id");
const noteOf = (trialId: string) =>
  db
    .prepare(
      "select value from tags t join streams s on s.id = t.stream_id where s.trial_id = ?1 and t.key = 'note'",
    )
    .bind(trialId)
    .first<string>("value");
const conflictsAbout = ({ info }: Made) =>
  db.prepare("select count(*) as n from conflicts where refused = ?1").bind(info.run_id).first<number>("n");

describe("a run that was given other tags since it was seen", () => {
  it("is linked to the trial that they name now, and not to the one before", async () => {
    const { server, deps } = world("t1");
    await trial("before");
    await trial("now");
    const run = server.run("t1", { tags: tagsOf("before") });
    await look(deps, "t1");
    run.data.tags = tagsOf("now");
    await followOf(deps, run);
    expect([await runOf("before"), await runOf("now")]).toEqual([null, run.info.run_id]);
  });

  it("does not stand before a younger one that is still the trial's", async () => {
    const { server, deps } = world("t2");
    await trial("two");
    const [older, younger] = [
      server.run("t2", { tags: tagsOf("two") }),
      server.run("t2", { tags: tagsOf("two") }),
    ];
    await look(deps, "t2");
    older.data.tags = tagsOf("nobody");
    await followOf(deps, younger);
    expect(await runOf("two")).toBe(younger.info.run_id);
  });

  it.each([{ policy: "report" }, { policy: "delete" }])(
    "is no double of its trial, where the policy is to $policy them",
    async ({ policy }) => {
      const id = `doubled-${policy}`;
      const { server, deps } = world(id, { RELAY_DOUBLE_RUNS: policy });
      await trial(id);
      const own = server.run(id, { tags: tagsOf(id) });
      await look(deps, id);
      await followOf(deps, own);
      const other = server.run(id, { tags: tagsOf(id) });
      await look(deps, id);
      other.data.tags = tagsOf("nobody");
      await followOf(deps, other);
      expect(other.info.lifecycle_stage).toBe("active");
      expect(await conflictsAbout(other)).toBe(0);
      other.data.tags = tagsOf(id);
      await look(deps, id);
      await followOf(deps, other);
      expect(await conflictsAbout(other), "it is the trial's again").toBe(1);
    },
  );

  it("is not taken by the delivery of the trial either", async () => {
    const mlflow = new FakeMlflow();
    const deps = mlflow.deps({ RELAY_ANNOUNCE_GRACE_SECONDS: "0", RELAY_PARENT_RUNS: "false" });
    const runId = mlflow.add("RUNNING");
    const run = mlflow.runs.get(runId);
    for (const { key, value } of tagsOf("delivered")) run?.tags.set(key, value);
    const seen = await deps.mlflow.getRun(runId);
    if (!seen.ok) throw new Error(seen.failure.message);
    await lookAtRuns(deps, [seen.value], deps.now(), {});
    run?.tags.set("thunderline_trial_id", "nobody");
    await trial("delivered");
    const id = await db.prepare("select id from streams where trial_id = 'delivered'").first<number>("id");
    await drive(deps, id ?? 0);
    const own = await runOf("delivered");
    expect([own === null, own === runId]).toEqual([false, false]);
    expect(run?.tags.get("thunderline_trial_id")).toBe("nobody");
  });
});

describe("the conflict about a second run", () => {
  const statesOf = async ({ info }: Made) => {
    const query = db.prepare("select state, resolution from conflicts where refused = ?1").bind(info.run_id);
    return (await query.all()).results;
  };
  const isOpen = [{ state: "open", resolution: null }];

  it("is settled once the run is seen to be deleted, though the answer to deleting it was lost", async () => {
    const id = "lost-answer";
    const { server, deps } = world(id, { RELAY_DOUBLE_RUNS: "delete" });
    await trial(id);
    const own = server.run(id, { tags: tagsOf(id) });
    await look(deps, id);
    await followOf(deps, own);
    const double = server.run(id, { tags: tagsOf(id) });
    server.losesAnswer = (endpoint) => endpoint === "runs/delete";
    await look(deps, id);
    await followOf(deps, double);
    server.losesAnswer = () => false;
    expect([double.info.lifecycle_stage, await statesOf(double)]).toEqual(["deleted", isOpen]);
    // With the cron's next pass.
    await db.prepare("update mlflow_runs set follow_at = 0 where follow_at is not null").run();
    await followOf(deps, double);
    expect(await statesOf(double)).toEqual([{ state: "resolved", resolution: "relay" }]);
    server.losesAnswer = (endpoint) => endpoint === "runs/delete";
    double.info.lifecycle_stage = "active";
    await look(deps, id);
    await followOf(deps, double);
    expect(await statesOf(double), "somebody has restored it").toEqual(isOpen);
  });
});

it("a run whose link the mirror lacked is merged once it has it", async () => {
  const { server, deps } = world("t3");
  await trial("mended");
  const run = server.run("t3", { tags: tagsOf("mended") });
  await look(deps, "t3");
  await followOf(deps, run);
  await db
    .prepare("update mlflow_runs set stream_id = null where mlflow_run_id = ?1")
    .bind(run.info.run_id)
    .run();
  run.data.tags = [...tagsOf("mended"), EDITED];
  await look(deps, "t3");
  await followOf(deps, run);
  expect(await noteOf("mended")).toBe("edited");
});

it("an older run that another's message links is merged, wherever that message ends", async () => {
  let isOver = false;
  for (let trip = 0; !isOver; trip++) {
    const id = `older-${trip}`;
    const { server, deps } = world(id);
    server.experiment(`${id}-other`, `${id}-other`);
    const older = server.run(`${id}-other`, { tags: [...tagsOf(id), EDITED] });
    // Nobody has the trial yet.
    await look(deps, `${id}-other`);
    await trial(id);
    const younger = server.run(id, { tags: tagsOf(id) });
    await look(deps, id);
    const { db: dying, state } = mortal(db, { trip, moment: "before" }, async () => {});
    await followRun({ ...invocation(deps), db: dying }, younger.info.run_id).catch(() => {});
    isOver = state.trips <= trip;
    await db.prepare("update streams set lease_until = 0").run();
    const later = { ...deps, now: () => Date.now() + 300_000 };
    await followOf(later, younger);
    await followOf(later, older);
    await pullRunning(later, { afterId: 0, maxRuns: 1_000, maxMs: 60_000 });
    expect({ trip, run: await runOf(id), note: await noteOf(id) }).toEqual({
      trip,
      run: older.info.run_id,
      note: "edited",
    });
    await db.prepare("update mlflow_runs set status = 'FINISHED'").run();
    await db.prepare("update trials set status = 'succeeded'").run();
  }
});
