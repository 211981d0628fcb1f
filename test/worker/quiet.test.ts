import { env } from "cloudflare:workers";
import { afterEach, expect, test } from "vitest";
import * as z from "zod";
import { closeOrphans, findQuiet } from "../../src/relay/cron/quiet.ts";
import { drive } from "../../src/relay/delivery/drive.ts";
import { pullStream } from "../../src/relay/follow/pull.ts";
import { journal } from "../../src/store/journal/journal.ts";
import { foldAll, idOf, post, request } from "./api.ts";
import { FakeMlflow } from "./fake-mlflow.ts";

const HOUR_MS = 3_600_000;
const QUIET = { RELAY_QUIET_AFTER_SECONDS: "600", RELAY_QUIET_POLICY: "kill" };
const ledgerEntries = z.object({ events: z.array(z.object({ seq: z.number(), type: z.string() })) });

let count = 0;
/** The trials of a test that is over are not silent any more. */
afterEach(() => env.DB.prepare("update streams set heard_at = ?1").bind(Number.MAX_SAFE_INTEGER).run());

/** A trial of a study of its own, and an MLflow that has its run. Passes are made at a time of one's choice. */
async function world(vars: Record<string, string> = QUIET) {
  const mlflow = new FakeMlflow();
  const deps = mlflow.deps({ RELAY_ANNOUNCE_GRACE_SECONDS: "0", RELAY_PARENT_RUNS: "false", ...vars });
  const study = `study-${++count}`;
  const trialId = `silent-${count}`;
  const say = (event: string, more: object = {}) =>
    post({ event, model_run_id: study, trial_id: trialId, ...more });
  await say("ml.trial.start", { spectral_norm: true });
  const id = await idOf(trialId);
  const streamId =
    (await env.DB.prepare("select id from streams where key = ?1").bind(id).first<number>("id")) ?? 0;
  const deliver = async () => {
    await foldAll();
    await drive(deps, streamId);
  };
  await deliver();
  const [run] = mlflow.runs.values();
  if (!run) throw new Error("no run was made");
  const later = (hours: number) => ({ ...deps, now: () => Date.now() + hours * HOUR_MS });
  return {
    run,
    study,
    say,
    deliver,
    later,
    streamId,
    pull: () => pullStream(deps, streamId, null),
    trial: async () => (await request(`/api/trials/${id}`)).body,
    ledger: async () => ledgerEntries.parse((await request(`/api/trials/${id}/ledger`)).body).events,
    stored: async () =>
      env.DB.prepare("select last_seq as lastSeq, heard_at as heardAt from streams where id = ?1")
        .bind(streamId)
        .first<{ lastSeq: number; heardAt: number }>(),
  };
}

test.each([
  { policy: "leave", status: "RUNNING", own: "running" },
  { policy: "fail", status: "FAILED", own: "failed" },
  { policy: "kill", status: "KILLED", own: "cancelled" },
])("a silent trainer's trial is marked, by policy $policy $status in MLflow, and comes back", async (row) => {
  const w = await world({ ...QUIET, RELAY_QUIET_POLICY: row.policy });
  await w.say("ml.run.metric", { step: 1, metrics: { loss: 1 } });
  await w.deliver();
  expect(await findQuiet(w.later(1))).toBe(1);
  await w.deliver();
  expect(await w.trial()).toMatchObject({ status: row.own, lost_contact_at: expect.any(String) });
  expect(w.run.status).toBe(row.status);
  expect(w.run.tags.get("relay.lost_contact")).toMatch(/^\d{4}-/);

  await w.say("ml.run.metric", { step: 2, metrics: { loss: 0.5 } });
  await w.deliver();
  expect(await w.trial()).toMatchObject({ status: "running", lost_contact_at: null });
  expect(w.run.status).toBe("RUNNING");
  expect([...w.run.tags.keys()]).not.toContain("relay.lost_contact");
  expect(w.run.metrics).toHaveLength(2);

  await w.say("ml.trial.complete", { spectral_norm: false, metrics: {} });
  await w.deliver();
  expect(w.run.status).toBe("FINISHED");
});

test("a trial closed as quiet, set going in MLflow and quiet again is closed again, once each time", async () => {
  const w = await world();
  for (const hours of [1, 2, 3]) {
    expect(await findQuiet(w.later(hours))).toBe(1);
    await w.deliver();
    expect(w.run.status).toBe("KILLED");
    expect(await findQuiet(w.later(hours + 1))).toBe(0);
    w.run.status = "RUNNING";
    await w.pull();
    await w.deliver();
    expect(await w.trial()).toMatchObject({ status: "running", lost_contact_at: null });
    // It is a while before silence is silence again.
    expect(await findQuiet(w.later(0))).toBe(0);
  }
});

test("a trial that speaks while it is found quiet goes on, whichever of the two is journalled first", async () => {
  const w = await world();
  const before = await w.stored();
  await w.say("ml.run.metric", { step: 1, metrics: { loss: 1 } });
  // The finding is of the moment before.
  await env.DB.prepare("update streams set last_seq = ?2, folded_seq = ?2, heard_at = ?3 where id = ?1")
    .bind(w.streamId, before?.lastSeq, before?.heardAt)
    .run();
  expect(await findQuiet(w.later(1))).toBe(1);
  await foldAll();
  expect(await w.trial()).toMatchObject({ status: "running", lost_contact_at: null });
});

test("an event that was accepted before the finding and waited for the database reopens the trial", async () => {
  const w = await world();
  expect(await findQuiet(w.later(1))).toBe(1);
  await foldAll();
  expect(await w.trial()).toMatchObject({ status: "cancelled" });
  const stream = await env.DB.prepare("select key, model_run_id from streams where id = ?1")
    .bind(w.streamId)
    .first<{ key: string; model_run_id: string }>();
  const waiting = { correlationId: "c", facts: null, hash: "h", warnings: [] };
  await journal(
    env.DB,
    [
      {
        ...waiting,
        stream: {
          key: stream?.key ?? "",
          kind: "trial",
          modelRunId: w.study,
          trialId: `silent-${count}`,
          parentKey: null,
        },
        id: "waited",
        type: "ml.run.metric",
        occurredAt: Date.now(),
        acceptedAt: Date.now(),
        points: [{ key: "loss", value: 1, step: 2, timestamp: 1 }],
      },
    ],
    Date.now(),
  );
  await foldAll();
  expect(await w.trial()).toMatchObject({ status: "running", lost_contact_at: null });
});

const stop = (study: string) =>
  post({ event: "ml.run.stop", model_run_id: study, state: "completed", completed_trials: 1 });
const begin = (study: string) =>
  post({ event: "ml.run.start", model_run_id: study, requested_trials: 1, search_space_version: 1 });

test("a trial that still runs when its model run has ended is closed after a grace, and is back when it speaks", async () => {
  const w = await world({});
  await begin(w.study);
  await foldAll();
  expect(await closeOrphans(w.later(1))).toBe(0);
  await stop(w.study);
  await foldAll();
  expect(await closeOrphans(w.later(0.1))).toBe(0);
  expect(await closeOrphans(w.later(1))).toBe(1);
  await w.deliver();
  expect(w.run.status).toBe("KILLED");
  expect(await w.trial()).toMatchObject({ status: "cancelled", lost_contact_at: expect.any(String) });
  expect(await w.ledger()).toContainEqual(expect.objectContaining({ type: "relay.trial.orphaned" }));
  expect(await closeOrphans(w.later(2))).toBe(0);

  await w.say("ml.run.metric", { step: 1, metrics: { loss: 1 } });
  await w.deliver();
  expect(w.run.status).toBe("RUNNING");
  expect(await closeOrphans(w.later(2))).toBe(1);

  await w.say("ml.trial.failed", { error_message: "late, but said" });
  await w.deliver();
  expect(w.run.status).toBe("FAILED");
  expect(await closeOrphans(w.later(5))).toBe(0);
});

test("orphans are left where that is wished", async () => {
  const w = await world({ RELAY_ORPHANS: "leave" });
  await begin(w.study);
  await stop(w.study);
  await foldAll();
  expect(await closeOrphans(w.later(5))).toBe(0);
});

test("an end from before the resume, by a clock that may be behind, stands when nothing more is heard, until something is", async () => {
  const w = await world({});
  const at = (ms: number) => new Date(Date.now() + ms).toISOString();
  await w.say("ml.trial.failed", { error_message: "no memory" });
  await w.say("ml.trial.start", { spectral_norm: true, resume: true, occurred_at: at(0) });
  const ended = await w.say("ml.trial.failed", { error_message: "again", occurred_at: at(-90_000) });
  expect(ended.body).toMatchObject({ warnings: [{ rule: expect.stringContaining("unless nothing more") }] });
  await w.deliver();
  expect(w.run.status).toBe("RUNNING");
  expect(await findQuiet(w.later(0.1))).toBe(0);
  expect(await findQuiet(w.later(1))).toBe(1);
  await w.deliver();
  expect(w.run).toMatchObject({ status: "FAILED" });
  expect(w.run.tags.get("error_message")).toBe("again");
  expect(await w.trial()).toMatchObject({ status: "failed", lost_contact_at: null });
  expect(await findQuiet(w.later(2))).toBe(0);
  // It was an old one that came late, after all.
  await w.say("ml.run.metric", { step: 1, metrics: { loss: 1 } });
  await w.deliver();
  expect(w.run.status).toBe("RUNNING");
  expect(await findQuiet(w.later(3))).toBe(0);
});

test("why it failed is gone in MLflow too from a run that goes on", async () => {
  const w = await world({});
  await w.say("ml.trial.failed", { error_message: "out of memory", error_type: "OOM" });
  await w.deliver();
  expect(Object.fromEntries(w.run.tags)).toMatchObject({ error_message: "out of memory", error_type: "OOM" });
  await w.say("ml.trial.start", { spectral_norm: true, resume: true });
  await w.deliver();
  for (const name of ["error_message", "error_type"]) expect(w.run.tags.has(name)).toBe(false);
  await w.say("ml.trial.failed", { error_message: "again" });
  await w.deliver();
  expect(w.run.tags.get("error_message")).toBe("again");
});
