import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import * as z from "zod";
import { getHistory, getIntervalHistory } from "../../src/gateway/history.ts";
import type { Deps } from "../../src/relay/deps.ts";
import { wire } from "../../src/wire.ts";
import { endless } from "./endless.ts";
import { ask, call, newRun } from "./gateway-api.ts";

/** Samples of metric histories that are long. */

const POINTS = 100_000;
const CHUNK = 10_000;

/** A run with so many points of a metric, one a step. */
async function longRun(key: string, points: number): Promise<string> {
  const run_id = await newRun();
  await call("runs/log-metric", { run_id, key, value: 0, timestamp: 0, step: 0 });
  await env.DB.prepare(
    `with recursive chunk(m) as (select 0 union all select m + 1 from chunk where m + 1 < ?3 / ${CHUNK}),
     one(n) as (select 0 union all select n + 1 from one where n + 1 < ${CHUNK})
     insert into metric_chunks (stream_id, key, seq, n, first_seq, min_step, max_step, top, latest, points)
     select s.id, ?2, s.last_seq, m + 1, s.last_seq, m * ${CHUNK} + 1, (m + 1) * ${CHUNK}, (m + 1) * ${CHUNK}, (m + 1) * ${CHUNK},
       (select json_group_array(json_array(s.last_seq, m + 1, m * ${CHUNK} + n + 1, m * ${CHUNK} + n + 1, 1)) from one)
     from streams s, chunk where s.key = ?1`,
  )
    .bind(run_id, key, points)
    .run();
  return run_id;
}

async function sample(key: string, runs: readonly string[], more: Record<string, string>) {
  const query = new URLSearchParams({ metric_key: key, ...more });
  for (const run of runs) query.append("run_ids", run);
  return ask(`metrics/get-history-bulk-interval?${query}`, { method: "GET" }, {});
}

test("each of several runs is sampled from its first step to its last, however many points they have together", async () => {
  const runs = [await longRun("loss", POINTS), await longRun("loss", POINTS), await longRun("loss", POINTS)];
  const { status, body } = await sample("loss", runs, { max_results: "3" });
  expect(status).toBe(200);
  const steps = runs.map((run) =>
    body.metrics
      .filter(({ run_id }: { run_id: string }) => run_id === run)
      .map(({ step }: { step: number }) => step),
  );
  expect(steps).toEqual(runs.map(() => [0, 33_334, POINTS]));
});

test("steps far from the beginning are sampled of a run with more points than an answer holds", async () => {
  const run = await longRun("long", 3 * POINTS);
  const part = await sample("long", [run], { start_step: "299990", end_step: "299992" });
  expect(part.body.metrics.map(({ step }: { step: number }) => step)).toEqual([299_990, 299_991, 299_992]);
  const all = await sample("long", [run], {});
  expect([all.status, all.body.message]).toEqual([400, expect.stringContaining("more than 250000 points")]);
});

const THERE = 260_000;
const PAGE = 20_000;

/** An MLflow that has one metric of one run, with so many points. */
async function withHistory(points: number): Promise<{ deps: Deps; runId: string }> {
  const runId = crypto.randomUUID().replaceAll("-", "");
  const fetch = async (address: string) => {
    const from = Number(new URL(address).searchParams.get("page_token") ?? 0);
    const metrics = Array.from({ length: Math.min(PAGE, points - from) }, (_, n) => {
      const at = from + n;
      return { key: "loss", value: 1, timestamp: at, step: at };
    });
    const next = from + PAGE < points ? { next_page_token: String(from + PAGE) } : {};
    return Response.json({ metrics, ...next });
  };
  await env.DB.prepare(
    `insert into mlflow_runs (mlflow_run_id, mlflow_experiment_id, status, lifecycle_stage, synced_at)
     values (?1, '1', 'FINISHED', 'active', 1)`,
  )
    .bind(runId)
    .run();
  return { deps: endless(wire({ ...env }, {}, fetch)), runId };
}

const pageAnswered = z.object({
  metrics: z.array(z.object({ step: z.number() })).default([]),
  next_page_token: z.string().optional(),
});

test("of a run that only MLflow has every page has all its points, however long its history is", async () => {
  const { deps, runId } = await withHistory(THERE);
  const page = async (offset: number) =>
    pageAnswered.parse(await getHistory(deps, { runId, metricKey: "loss", maxResults: null, offset }));
  const first = await page(0);
  const last = await page(first.metrics.length);
  expect(first.next_page_token).toBeDefined();
  expect(first.metrics.length + last.metrics.length).toBe(THERE);
  expect(last.metrics.at(-1)?.step).toBe(THERE - 1);
  const all = { runIds: [runId], metricKey: "loss", steps: null, maxResults: 3 };
  await expect(getIntervalHistory(deps, all)).rejects.toThrow("more than 250000 points");
});
