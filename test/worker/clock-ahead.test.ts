import { env } from "cloudflare:workers";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { reconcile } from "../../src/relay/cron/pass.ts";
import { drive } from "../../src/relay/delivery/drive.ts";
import { claimJob } from "../../src/store/jobs/jobs.ts";
import { lock } from "../../src/store/ops/locks.ts";
import { post } from "./api.ts";
import { FakeMlflow } from "./fake-mlflow.ts";
import { metric } from "./payloads.ts";

/**
 * A clock that was hours ahead, and is set right: that of a machine which began with its local time for UTC. What was written
 * by it rests no longer than it would have.
 */

const AHEAD_MS = 8 * 3_600_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const idOf = async (trial: string) =>
  (await env.DB.prepare("select id from streams where trial_id = ?1").bind(trial).first<number>("id")) ?? 0;

test("a trial whose start has not come is waited for no longer than ever", async () => {
  const mlflow = new FakeMlflow();
  const deps = mlflow.deps({ RELAY_PARENT_RUNS: "false" });
  const now = Date.now();
  vi.setSystemTime(now + AHEAD_MS);
  await post(metric("without a start", { step: 1, metrics: { loss: 1 } }));
  vi.setSystemTime(now);
  await env.DB.prepare("update streams set poked_until = 0").run();
  await drive(deps, await idOf("without a start"));
  expect(mlflow.runs.size).toBe(1);
});

test("calls wait for a place no longer than the row of them is", async () => {
  const mlflow = new FakeMlflow();
  const deps = mlflow.deps({
    RELAY_PARENT_RUNS: "false",
    RELAY_ANNOUNCE_GRACE_SECONDS: "0",
    RELAY_MAX_CALLS_PER_SECOND: "100",
  });
  await post(metric("paced", { step: 1, metrics: { loss: 1 } }));
  await drive(deps, await idOf("paced"));
  await env.DB.prepare("update breakers set next_call_at = ?1")
    .bind(Date.now() + AHEAD_MS)
    .run();
  await post(metric("paced", { step: 2, metrics: { loss: 1 } }));
  await drive(deps, await idOf("paced"));
  expect([...mlflow.runs.values()].map(({ metrics }) => metrics.length)).toEqual([2]);
});

test("what a dead holder has left is free after the next pass", async () => {
  const at = Date.now() + AHEAD_MS;
  await env.DB.batch([
    env.DB.prepare(
      `insert into streams (key, kind, trial_id, created_at, updated_at, last_seq, folded_seq, lease_token, lease_until, calling_until, recheck_at)
       values ('leased', 'trial', 'leased', 1, 1, 1, 1, 'dead', ?1, ?1, ?1)`,
    ).bind(at),
    env.DB.prepare(
      `insert into jobs (id, action, target, origin, state, due_at, lease_token, lease_until, created_at, updated_at)
       values ('due', 'sync_experiment', 'a', 'api', 'queued', ?1, null, 0, 1, 1), ('dead', 'sync_experiment', 'b', 'api', 'running', 1, 'dead', ?1, 1, 1)`,
    ).bind(at),
    env.DB.prepare(
      `insert into artifacts (stream_id, path, object_key, bytes, sha256, content_type, version, created_at, updated_at, lease_token, lease_until)
       select id, 'f', 'k', 1, 'x', 'text/plain', 1, 1, 1, 'dead', ?1 from streams where key = 'leased'`,
    ).bind(at),
    env.DB.prepare(
      `insert into mlflow_runs (mlflow_run_id, mlflow_experiment_id, run_name, status, lifecycle_stage, synced_at, follow_at)
       values ('followed', '1', 'r', 'RUNNING', 'active', 1, ?1)`,
    ).bind(at),
    env.DB.prepare("insert into locks (name, token, until) values ('reconcile', 'dead', ?1)").bind(at),
  ]);
  expect(await reconcile(new FakeMlflow().deps())).toMatchObject({ error: null });
  const rests = await env.DB.prepare(
    `select max(lease_until, calling_until, recheck_at) as at from streams where key = 'leased'
     union all select max(due_at, lease_until) from jobs union all select lease_until from artifacts
     union all select coalesce(follow_at, 0) from mlflow_runs where mlflow_run_id = 'followed'`,
  ).all<{ at: number }>();
  const soon = Date.now() + 10 * 60_000;
  expect(rests.results.filter((row) => row.at > soon)).toEqual([]);
  expect(await claimJob(env.DB, "due", 1_000)).not.toMatchObject({ kind: "early" });
  expect(await lock(env.DB, "reconcile", 1_000)).not.toBe(null);
});
