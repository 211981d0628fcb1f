import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, expect, it, vi } from "vitest";
import { app } from "../../src/app.ts";
import { reconcile } from "../../src/relay/reconcile.ts";
import { NOTHING_DONE, storePass } from "../../src/store/passes.ts";
import { wire } from "../../src/wire.ts";
import { ADMIN } from "./api.ts";
import { emptyMlflow } from "./empty-mlflow.ts";
import { metered } from "./metered.ts";

/** Cost that does not grow with the past: what is read, once so many trials are over. */
const FINISHED_TRIALS = 200_000;
const MODEL_RUNS = 20;
const MOST_ROWS_READ = 5_000;

const SENT_STATE = JSON.stringify({
  status: "FINISHED",
  endTime: 1,
  runName: null,
  statusTag: null,
  lostContactAt: null,
});

const DAY_MS = 86_400_000;
const now = Date.now();

/** A past of finished trials, as delivery leaves them; the first model run's are not ended for so long as to be pruned. */
async function seedThePast(): Promise<void> {
  const each = FINISHED_TRIALS / MODEL_RUNS;
  const numbers = `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${FINISHED_TRIALS})`;
  const at = now - 2 * DAY_MS;
  await env.DB.batch([
    env.DB.prepare(
      `insert into mlflow_experiments (mlflow_experiment_id, name, lifecycle_stage, synced_at)
       values ('1', 'the past', 'active', ${at}), ('2', 'the rest', 'active', ${at})`,
    ),
    env.DB.prepare(
      `${numbers} insert into streams (id, key, kind, model_run_id, trial_id, created_at, updated_at, last_seq, folded_seq,
         planned_seq, delivered_seq, delivered_at, heard_at, experiment_name, mlflow_experiment_id, mlflow_run_id, sent_state)
       select 1000 + i, printf('%032x', i), 'trial', 'study-' || (i / ${each}), 't' || i, ${at}, ${at}, i, i, i, i, ${at}, ${at},
         iif(i % 2, 'the past', 'the rest'), iif(i % 2, '1', '2'), printf('%032x', i), '${SENT_STATE}' from n`,
    ),
    env.DB.prepare(
      `insert into trials (id, key, model_run_id, trial_id, status, announced, spectral_norm, started_at, ended_at, created_at, updated_at)
       select id, key, model_run_id, trial_id, iif(id % 3, 'succeeded', 'failed'), 1, 1, ${at}, ${at}, ${at}, ${at} from streams`,
    ),
    env.DB.prepare(
      `insert into mlflow_runs (mlflow_run_id, mlflow_experiment_id, stream_id, status, start_time, end_time, lifecycle_stage, synced_at)
       select mlflow_run_id, mlflow_experiment_id, id, 'FINISHED', ${at}, ${at}, 'active', ${at} from streams`,
    ),
    env.DB.prepare(
      `insert into streams (id, key, kind, model_run_id, created_at, updated_at, last_seq, folded_seq, planned_seq, delivered_seq, delivered_at)
       select i, 'study-' || i, 'model_run', 'study-' || i, ${at}, ${at}, 1, 1, 1, 1, ${at}
       from (select value as i from json_each('${JSON.stringify([...Array(MODEL_RUNS).keys()].map((i) => i + 1))}'))`,
    ),
    env.DB.prepare(
      `insert into events (seq, stream_id, event_id, type, hash, occurred_at, accepted_at, correlation_id, facts)
       select last_seq, id, 'e' || id, 'ml.trial.complete', 'h', ${at}, ${at}, 'c', null from streams where kind = 'trial'`,
    ),
    env.DB.prepare(
      `insert into model_runs (id, model_run_id, state, announced, started_at, ended_at, created_at, updated_at)
       select id, model_run_id, 'succeeded', 1, ${at}, ${at}, ${at}, ${at} from streams where kind = 'model_run'`,
    ),
  ]);
}

/** A present of a few trials that run, wait or are blocked. */
async function seedThePresent(): Promise<void> {
  const events = ["a", "b", "c"].map((trial_id) => ({
    event: "ml.trial.start",
    model_run_id: "study-1",
    trial_id,
    spectral_norm: true,
    experiment_name: "the rest",
  }));
  const response = await call("/api/events/ml", env.DB, { method: "POST", body: JSON.stringify(events) });
  expect(response.status).toBe(202);
  await env.DB.prepare("update streams set waiting_for = 'breaker' where trial_id = 'b'").run();
  await storePass(env.DB, now - 60_000, now - 60_000, NOTHING_DONE);
}

async function call(path: string, db: D1Database, init: RequestInit = {}) {
  const headers = { authorization: `Bearer ${ADMIN}`, "content-type": "application/json" };
  return app.request(path, { ...init, headers }, { ...env, DB: db }, createExecutionContext());
}

beforeAll(async () => {
  vi.spyOn(globalThis, "fetch").mockImplementation(emptyMlflow("0".repeat(32), "1"));
  await seedThePast();
  await seedThePresent();
}, 120_000);

it.each([
  "/metrics",
  "/api/experiments",
  "/api/model-runs",
  "/api/trials",
  "/api/trials?status=running",
  "/api/trials?status=succeeded",
  "/api/trials?status=running&sort=-metrics.loss",
  "/api/trials?sort=-updated_at",
  "/api/trials?experiment_name=the+rest&status=failed",
  "/api/trials?experiment_name=the+rest&sync_state=waiting",
  "/api/trials?model_run_id=study-1&experiment_name=the+past",
  "/api/trials?status=cancelled",
  "/api/trials?sync_state=pending",
  "/api/trials?sync_state=waiting",
  "/api/trials?sync_state=blocked",
  "/api/trials?sync_state=synced",
  "/api/trials?experiment_name=the+past",
  "/api/trials?experiment_name=the+rest&status=running",
  "/api/trials?experiment_name=nowhere",
  "/api/runs",
  "/api/ops/blocked",
  "/api/ops/dead-letters",
  "/api/ops/conflicts?state=open",
  "/api/sync/jobs",
  "/ready",
])("GET %s reads a number of rows that finished trials do not add to", async (path) => {
  const { db, meter } = metered(env.DB);
  const response = await call(path, db);
  expect(response.status).toBe(200);
  await response.text();
  expect(meter.rowsRead, meter.worst()).toBeLessThanOrEqual(MOST_ROWS_READ);
});

it.each([
  ["with MLflow there", {}],
  ["when every journal is due to be pruned", { RELAY_RETENTION_DAYS: "1" }],
])("a pass of the cron %s reads no more, whichever statement", async (_, vars) => {
  const { db, meter } = metered(env.DB);
  const pass = await reconcile(wire({ ...env, DB: db, ...vars }, {}));
  expect(pass?.error).toBeNull();
  expect(meter.statements).toBeGreaterThan(10);
  expect(meter.most, meter.worst()).toBeLessThanOrEqual(MOST_ROWS_READ);
});
