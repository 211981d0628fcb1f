import { env } from "cloudflare:workers";
import { beforeAll, expect, it, test, vi } from "vitest";
import { reconcile } from "../../src/relay/cron/pass.ts";
import { bury } from "../../src/store/delivery/dead-letters.ts";
import { ownRuns } from "../../src/store/delivery/own-runs.ts";
import { unlinkedRunOf } from "../../src/store/mirror/tagged.ts";
import { NOTHING_DONE, storePass } from "../../src/store/ops/passes.ts";
import { wire } from "../../src/wire.ts";
import { emptyMlflow } from "./empty-mlflow.ts";
import { metered } from "./metered.ts";
import { page } from "./page.ts";

/**
 * Cost that does not grow with what else is over: model runs, MLflow's runs, those of an MLflow client's experiment, and
 * what operators asked for or settled.
 */
const OVER = 10_000;
const MOST_ROWS_READ = 1_000;
const CLIENTS_EXPERIMENT = "900000000000000001";
const DAY_MS = 86_400_000;
const now = Date.now();

function numbers(what: string): string {
  const all = `with recursive m(i) as (select 1 union all select i + 1 from m where i < ${OVER})`;
  return `${all}, n(i, name) as (select i, '${what}-' || i from m)`;
}

const PAST = [
  `insert into mlflow_experiments (mlflow_experiment_id, name, lifecycle_stage, synced_at)
   values ('1', 'the past', 'active', 1), ('2', 'a client''s', 'active', 1)`,
  `insert into gateway_experiments (id, mlflow_experiment_id, name, artifact_location, created_time, updated_time, version,
     delivered_version)
   values ('${CLIENTS_EXPERIMENT}', '2', 'a client''s', 'mlflow-artifacts:/2', 1, 1, 1, 1)`,
  `${numbers("run")} insert into mlflow_runs (mlflow_run_id, mlflow_experiment_id, status, start_time, end_time,
     lifecycle_stage, synced_at)
   select name, '1', 'FINISHED', i, i, 'active', 1 from n`,
  `${numbers("client")} insert into streams (id, key, kind, trial_id, created_at, updated_at, last_seq, folded_seq,
     planned_seq, delivered_seq, delivered_at, mlflow_experiment_id, mlflow_run_id)
   select 100000 + i, name, 'trial', name, 1, 1, 1, 1, 1, 1, 1, '2', name from n`,
  `insert into trials (id, key, trial_id, status, created_at, updated_at)
   select id, key, trial_id, 'succeeded', 1, 1 from streams where id > 100000 and kind = 'trial'`,
  `insert into gateway_runs (stream_id, run_id, experiment_id, status, start_time, artifact_uri, created_at, touched_at)
   select id, key, '${CLIENTS_EXPERIMENT}', 'FINISHED', 1, 'a', 1, 1 from streams where id > 100000`,
  `insert into mlflow_runs (mlflow_run_id, mlflow_experiment_id, stream_id, status, start_time, lifecycle_stage, synced_at)
   select mlflow_run_id, '2', id, 'FINISHED', id, 'active', 1 from streams where id > 100000 and kind = 'trial'`,
  `${numbers("later")} insert into mlflow_runs (mlflow_run_id, mlflow_experiment_id, status, start_time, lifecycle_stage, synced_at)
   select name, '1', 'FINISHED', i, 'active', 1 from n`,
  `${numbers("ended")} insert into streams (id, key, kind, model_run_id, created_at, updated_at)
   select 200000 + i, name, 'model_run', name, ${now}, 1 from n`,
  `insert into model_runs (id, model_run_id, state, announced, started_at, ended_at, created_at, updated_at)
   select id, model_run_id, 'succeeded', 1, 1, 1, 1, 1 from streams where id > 200000`,
  `${numbers("job")} insert into jobs (id, action, target, state, origin, due_at, created_at, updated_at, finished_at)
   select name, 'sync_trial_to_mlflow', name, 'succeeded', 'operator', 1, ${now} - i, 1, ${now} from n`,
  `insert into conflicts (stream_id, kind, field, refused, source, created_at, state, resolved_at)
   select id, iif(id % 2, 'param', 'tag'), 'lr', '1', 'mlflow', 1, 'resolved', ${now - DAY_MS} from streams
   where id > 200000`,
  `insert into dead_letters (stream_id, kind, item, reason, state, created_at, settled_at)
   select id, iif(id % 2, 'metric', 'status'), '{}', 'because', 'dropped', 1, ${now - DAY_MS} from streams
   where id > 200000`,
  `insert into dead_letters (stream_id, kind, item, reason, state, created_at, settled_at)
   select s.id, 'param', json_object('key', state.value, 'value', '1'), 'because', state.value, 1, iif(state.value = 'open', null, ${now - DAY_MS})
   from streams s, json_each('["open", "replayed"]') state where s.id between 100001 and 200000`,
];

beforeAll(async () => {
  vi.spyOn(globalThis, "fetch").mockImplementation(emptyMlflow("0".repeat(32), "1"));
  await env.DB.batch(PAST.map((query) => env.DB.prepare(query)));
  await storePass(env.DB, now - 60_000, now - 60_000, NOTHING_DONE);
}, 120_000);

it.each([
  "/api/model-runs?state=running",
  "/api/runs?status=RUNNING",
  "/api/runs?status=SCHEDULED&experiment_id=1",
  "/api/runs?status=FAILED",
  "/api/runs?status=KILLED&experiment_id=1",
  "/api/runs?lifecycle=deleted",
  "/api/runs?lifecycle=deleted&experiment_id=2",
  "/api/model-runs?state=failed",
  "/api/find?text=ended",
  "/api/model-runs?state=cancelled&sort=created_at",
  "/api/ops/conflicts?kind=status",
  "/api/ops/conflicts?kind=name&state=resolved",
  "/api/ops/conflicts?model_run_id=ended-5",
  "/api/ops/conflicts?model_run_id=ended-5&state=resolved",
  "/api/ops/dead-letters?state=dropped&kind=param",
  "/api/ops/dead-letters?state=dropped&model_run_id=ended-5",
  "/api/ops/conflicts?state=resolved&trial_id=client-5",
  "/api/ops/conflicts?kind=tag&trial_id=nobody",
  "/api/ops/dead-letters?state=replayed&trial_id=client-5",
  "/api/ops/dead-letters?state=open&kind=param&trial_id=nobody",
  "/api/trials/client-5",
  "/trials/client-5",
  "/api/sync/jobs?state=failed",
  "/api/sync/jobs?action=create_run",
  "/api/sync/jobs?state=queued",
  "/api/sync/jobs?state=running&action=sync_experiment",
  "/experiments/1?status=RUNNING",
  `/experiments/${CLIENTS_EXPERIMENT}`,
])("%s reads few rows", async (path) => {
  const { status, rowsRead, meter } = await page(path);
  expect(status).toBe(200);
  expect(rowsRead, meter.worst()).toBeLessThanOrEqual(MOST_ROWS_READ);
});

test("whether a trial has a run already is known from few rows, however many runs MLflow has", async () => {
  const { db, meter } = metered(env.DB);
  const stream = env.DB.prepare(
    "insert into streams (key, kind, trial_id, created_at, updated_at) values ('new', 'trial', 'new', 1, 1) returning id",
  );
  expect(await unlinkedRunOf(db, (await stream.first<number>("id")) ?? 0)).toBeNull();
  expect(meter.rowsRead, meter.worst()).toBeLessThanOrEqual(10);
});

test("a run that the relay made is found among as many that others have made since", async () => {
  const { db, meter } = metered(env.DB);
  expect(await ownRuns(db, 2)).toEqual([`client-${OVER}`, `client-${OVER - 1}`]);
  expect(meter.rowsRead, meter.worst()).toBeLessThanOrEqual(20);
});

test("what MLflow will not take is written down without reading what was settled", async () => {
  const REPLAYED = JSON.stringify({ key: "replayed", value: "1" });
  const { db, meter } = metered(env.DB);
  await bury(db, { streamId: 100_005, kind: "param", item: REPLAYED, reason: "again", createdAt: now });
  expect(meter.rowsRead, meter.worst()).toBeLessThanOrEqual(20);
});

test("a pass of the cron reads few rows, whichever statement", async () => {
  const { db, meter } = metered(env.DB);
  const pass = await reconcile(wire({ ...env, DB: db }, {}));
  expect(pass?.error).toBeNull();
  expect(meter.most, meter.worst()).toBeLessThanOrEqual(MOST_ROWS_READ);
});
