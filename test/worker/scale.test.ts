import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, expect, it, vi } from "vitest";
import * as z from "zod";
import { pastStatements } from "../../bench/past.ts";
import { app } from "../../src/app.ts";
import { reconcile } from "../../src/relay/cron/pass.ts";
import { NOTHING_DONE, storePass } from "../../src/store/ops/passes.ts";
import { wire } from "../../src/wire.ts";
import { ADMIN } from "./api.ts";
import { emptyMlflow } from "./empty-mlflow.ts";
import { metered } from "./metered.ts";
import { page } from "./page.ts";

/** Cost that does not grow with the past: what is read, once so many trials are over. */
const FINISHED_TRIALS = 200_000;
const MOST_ROWS_READ = 5_000;

const HOUR_MS = 3_600_000;
const now = Date.now();

/** A few trials, of those that succeeded, in an experiment of their own. */
async function moveAside(): Promise<void> {
  await env.DB.batch(
    [
      "insert into mlflow_experiments (mlflow_experiment_id, name, lifecycle_stage, synced_at) values ('aside-1', 'aside', 'active', 1)",
      "update streams set mlflow_experiment_id = 'aside-1', experiment_name = 'aside' where id in (1002, 100001, 200999)",
    ].map((query) => env.DB.prepare(query)),
  );
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
  const headers = { authorization: `Bearer ${ADMIN}`, "content-type": "application/json", ...init.headers };
  return app.request(path, { ...init, headers }, { ...env, DB: db }, createExecutionContext());
}

beforeAll(async () => {
  vi.spyOn(globalThis, "fetch").mockImplementation(emptyMlflow("0".repeat(32), "1"));
  const past = { study: "study", trials: FINISHED_TRIALS, at: now - HOUR_MS, after: 1_000 };
  await env.DB.batch(pastStatements(past).map((query) => env.DB.prepare(query)));
  await moveAside();
  await seedThePresent();
}, 120_000);

it.each([
  "/metrics",
  "/api/experiments",
  "/api/model-runs",
  "/api/trials",
  "/api/trials?status=running",
  "/api/trials?status=succeeded",
  "/api/trials?status=succeeded&sort=-started_at",
  "/api/trials?status=failed&sort=rank",
  "/api/trials?experiment_name=the+past&sort=duration_ms",
  "/api/trials?status=running&sort=-metrics.loss",
  "/api/trials?sort=-updated_at",
  "/api/trials?experiment_name=the+rest&status=failed",
  "/api/trials?experiment_name=the+past&status=cancelled",
  "/api/trials?experiment_name=aside&status=succeeded",
  "/api/trials?experiment_name=aside&status=failed",
  "/api/trials?experiment_name=aside&sort=-ended_at",
  "/api/trials?experiment_name=aside&sort=-updated_at",
  "/api/trials?experiment_name=aside&sort=trial_id",
  "/api/trials?experiment_name=aside&sort=-metrics.loss",
  "/api/trials?experiment_name=aside&spectral_norm=false",
  "/api/trials?experiment_name=aside&sync_state=synced&sort=rank",
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

/** Fewer than an address of the API may: a page asks again while it is open. */
const MOST_ROWS_OF_A_PAGE = 1_000;

it.each([
  "/",
  "/?sort=-updated_at",
  "/?state=running",
  "/experiments",
  "/experiments/past-1",
  "/experiments/past-1?status=FINISHED",
  `/runs/${(1_001).toString(16).padStart(32, "0")}`,
  "/api/find?text=t1500",
  `/api/curves/metrics?trials=${(1_001).toString(16).padStart(32, "0")}`,
])("the page %s reads few rows, however much is finished", async (path) => {
  const { status, rowsRead, meter } = await page(path);
  expect(status).toBe(200);
  expect(rowsRead, meter.worst()).toBeLessThanOrEqual(MOST_ROWS_OF_A_PAGE);
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

const IN_PAST = "s.mlflow_experiment_id = 'past-1'";
const ASIDE = "s.mlflow_experiment_id = 'aside-1'";

it.each([
  ["experiment_name=the+past&status=failed", `${IN_PAST} and t.status = 'failed' order by t.id desc`],
  [
    "experiment_name=the+past&status=failed&sort=created_at",
    `${IN_PAST} and t.status = 'failed' order by t.id`,
  ],
  ["experiment_name=the+past&sort=created_at", `${IN_PAST} order by t.id`],
  [
    "experiment_name=the+past&status=succeeded&sort=-ended_at",
    `${IN_PAST} and t.status = 'succeeded' order by t.ended_at desc, t.id desc`,
  ],
  ["experiment_name=aside&sort=-trial_id", `${ASIDE} order by t.trial_id desc, t.id desc`],
  ["experiment_name=aside&sort=-updated_at", `${ASIDE} order by t.updated_at desc, t.id desc`],
  ["experiment_name=aside&sort=rank", `${ASIDE} order by t.id`],
])("lists with %s what one statement over all trials finds", async (query, condition) => {
  const { results } = await env.DB.prepare(
    `select t.trial_id as id from trials t join streams s on s.id = t.id where ${condition} limit 6`,
  ).all<{ id: string }>();
  expect(await firstPages(query, 3)).toEqual(results.map(({ id }) => id));
});

const trialPage = z.object({
  trials: z.array(z.object({ trial_id: z.string() })),
  next_cursor: z.string().nullable(),
});

/** The trials on the first two pages of so many. */
async function firstPages(query: string, limit: number): Promise<string[]> {
  const pageAt = async (cursor: string) =>
    trialPage.parse(await (await call(`/api/trials?${query}&limit=${limit}${cursor}`, env.DB)).json());
  const first = await pageAt("");
  const second = first.next_cursor === null ? [] : (await pageAt(`&cursor=${first.next_cursor}`)).trials;
  return [...first.trials, ...second].map(({ trial_id }) => trial_id);
}

it("lists a trial where its run is now", async () => {
  const move = (id: string) =>
    env.DB.prepare("update streams set mlflow_experiment_id = ?1 where id = 1005").bind(id).run();
  await move("aside-1");
  expect(await firstPages("experiment_name=aside&sort=created_at", 3)).toContain("t1005");
  await move("past-1");
  expect(await firstPages("experiment_name=aside&sort=created_at", 3)).not.toContain("t1005");
});
