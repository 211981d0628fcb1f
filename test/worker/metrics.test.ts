import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { app } from "../../src/app.ts";
import { bury } from "../../src/store/delivery/dead-letters.ts";
import { NOTHING_DONE, storePass } from "../../src/store/ops/passes.ts";
import { parseExposition } from "../lib/exposition.ts";
import { ADMIN, foldAll, post, request } from "./api.ts";

const SENT_AT = Date.now() - 90_000;
const backlog = { backlogCount: 3, backlogBytes: 512, oldestMessageTimestamp: new Date(SENT_AT) };
const empty = { backlogCount: 0, backlogBytes: 0, oldestMessageTimestamp: new Date(0) };
const QUEUES = {
  TRIALS: { metrics: async () => backlog },
  JOBS: { metrics: async () => empty },
  FILES: { metrics: async () => empty },
};

async function scrape(bindings: object = {}) {
  const headers = { authorization: `Bearer ${ADMIN}` };
  const response = await app.request(
    "/metrics",
    { headers },
    { ...env, ...QUEUES, ...bindings },
    createExecutionContext(),
  );
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const families = parseExposition(await response.text());
  return (name: string, labels = "") => families.get(name)?.samples.get(labels);
}

const trial = { model_run_id: "study", trial_id: "t1" };
const metric = (step: number) => ({
  event: "ml.run.metric",
  ...trial,
  step,
  metric_name: "loss",
  metric_value: step,
});

describe("/metrics", () => {
  it("tells of events from their acceptance to their delivery", async () => {
    const before = await scrape();
    const counted = (outcome: string) => before("relay_events_total", `{outcome="${outcome}"}`) ?? 0;
    await post([{ event: "ml.trial.start", ...trial, spectral_norm: true }, metric(1), metric(2)]);
    await post([metric(1)]);
    await env.DB.prepare("update events set accepted_at = accepted_at - 60000").run();
    await foldAll();

    const behind = await scrape();
    expect(behind("relay_events_total", '{outcome="accepted"}')).toBe(counted("accepted") + 3);
    expect(behind("relay_events_total", '{outcome="duplicate"}')).toBe(counted("duplicate") + 1);
    expect(behind("relay_events_backlog")).toBe(3);
    expect(behind("relay_events_oldest_undelivered_age_seconds")).toBeGreaterThanOrEqual(60);
    expect(behind("relay_events_oldest_undelivered_age_seconds")).toBeLessThan(90);
    expect(behind("relay_streams", '{kind="trial",sync_state="pending"}')).toBe(1);
    expect(behind("relay_trials", '{status="running"}')).toBe(1);

    await env.DB.prepare("update streams set delivered_seq = last_seq").run();
    const delivered = await scrape();
    expect(delivered("relay_events_backlog")).toBe(0);
    expect(delivered("relay_events_oldest_undelivered_age_seconds")).toBe(0);
    expect(delivered("relay_streams", '{kind="trial",sync_state="synced"}')).toBe(1);
  });

  it("counts nothing as behind that an operator has given up", async () => {
    await post([{ event: "ml.trial.start", ...trial, trial_id: "t2", spectral_norm: true }]);
    expect((await scrape())("relay_events_backlog")).toBe(1);
    await env.DB.prepare("update streams set blocked_kind = 'forgotten' where trial_id = 't2'").run();
    const sample = await scrape();
    expect(sample("relay_events_backlog")).toBe(0);
    expect(sample("relay_events_oldest_undelivered_age_seconds")).toBe(0);
  });

  it("tells of dead letters, conflicts, the breaker and the cron", async () => {
    const nothing = await scrape();
    expect(nothing("relay_cron_last_pass_age_seconds")).toBeUndefined();
    expect(nothing("relay_breaker_state")).toBe(0);
    await bury(env.DB, { kind: "metric", item: "{}", reason: "too long", createdAt: 1 });
    await env.DB.batch([
      env.DB.prepare(
        "insert into conflicts (stream_id, kind, field, refused, source, created_at) values (1, 'param', 'lr', '2', 'journal', 1)",
      ),
      env.DB.prepare(
        "insert into breakers (server, state, alarm, updated_at) values ('http://mlflow.test', 'open', 1, 1)",
      ),
    ]);
    const finishedAt = Date.now() - 30_000;
    await storePass(env.DB, finishedAt, finishedAt, { ...NOTHING_DONE, poked_trials: 4 });

    const sample = await scrape();
    expect(sample("relay_dead_letters", '{state="open"}')).toBe(1);
    expect(sample("relay_dead_letters", '{state="dropped"}')).toBe(0);
    expect(sample("relay_conflicts", '{kind="param"}')).toBe(1);
    expect(sample("relay_breaker_state")).toBe(1);
    expect(sample("relay_breaker_alarm")).toBe(1);
    expect(sample("relay_cron_last_pass_pokes")).toBe(4);
    expect(sample("relay_cron_last_pass_age_seconds")).toBeGreaterThanOrEqual(30);
    expect(sample("relay_database_size_bytes")).toBeGreaterThan(0);
  });

  it("tells of jobs", async () => {
    await env.DB.prepare(
      `insert into jobs (id, action, target, state, origin, due_at, created_at, updated_at)
       values ('a', 'create_run', 'a', 'queued', 'cron', 1, 1, 1), ('b', 'create_run', 'b', 'failed', 'cron', 1, 1, 1)`,
    ).run();
    const sample = await scrape();
    expect(sample("relay_jobs", '{state="queued"}')).toBe(1);
    expect(sample("relay_jobs", '{state="running"}')).toBe(0);
    expect(sample("relay_jobs_ended_total", '{state="failed"}')).toBe(0);
  });

  it("tells of the queues, and does without one that does not answer", async () => {
    const sample = await scrape();
    expect(sample("relay_queue_backlog_messages", '{queue="trials"}')).toBe(3);
    expect(sample("relay_queue_backlog_bytes", '{queue="trials"}')).toBe(512);
    expect(sample("relay_queue_oldest_message_age_seconds", '{queue="trials"}')).toBeGreaterThanOrEqual(90);
    expect(sample("relay_queue_oldest_message_age_seconds", '{queue="jobs"}')).toBe(0);
    const without = await scrape({ TRIALS: { metrics: () => Promise.reject(new Error("overloaded")) } });
    expect(without("relay_queue_backlog_messages", '{queue="trials"}')).toBeUndefined();
    expect(without("relay_queue_backlog_messages", '{queue="jobs"}')).toBe(0);
  });

  it("reads no events that MLflow has", async () => {
    await post(Array.from({ length: 200 }, (_, step) => metric(step)));
    await env.DB.prepare("update streams set delivered_seq = last_seq").run();
    const rowsRead: number[] = [];
    const DB = {
      prepare: (query: string) => env.DB.prepare(query),
      batch: async (statements: D1PreparedStatement[]) => {
        const results = await env.DB.batch(statements);
        rowsRead.push(...results.map((result) => result.meta.rows_read));
        return results;
      },
    };
    await scrape({ DB });
    expect(rowsRead.length).toBeGreaterThan(0);
    expect(rowsRead.reduce((sum, rows) => sum + rows, 0)).toBeLessThan(100);
  });

  it("wants a token with the scope read", async () => {
    const { status, body } = await request("/metrics", { token: null });
    expect([status, body]).toMatchObject([401, { detail: expect.stringContaining("'read'") }]);
  });
});
