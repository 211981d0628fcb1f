import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { planHelping, readNext } from "../../src/store/delivery/batch-plan.ts";
import { claim } from "../../src/store/stream/claims.ts";
import { foldAll, idOf, post, request } from "./api.ts";

const LEASE_MS = 60_000;

const series = z.object({
  key: z.string(),
  points: z.array(
    z.object({ step: z.number(), timestamp: z.number(), value: z.union([z.number(), z.string()]) }),
  ),
  total: z.number(),
  downsampled: z.boolean(),
});

async function history(trialId: string, keyAndQuery: string) {
  const { status, body } = await request(`/api/trials/${await idOf(trialId)}/metrics/${keyAndQuery}`);
  expect(status, JSON.stringify(body)).toBe(200);
  return series.parse(body);
}

const of = (trial_id: string) => ({ model_run_id: "study", trial_id });
const AT = Date.parse("2026-02-01T00:00:00Z");
const metric = (trial_id: string, step: number, metrics: object, ms = AT + step * 1000) => ({
  event: "ml.run.metric",
  ...of(trial_id),
  step,
  metrics,
  occurred_at: ms,
});

describe("one trial", () => {
  const EVENTS = [
    {
      event: "ml.trial.start",
      ...of("t1"),
      spectral_norm: true,
      run_name: "first",
      experiment_name: "ablation",
      candidate_id: "optuna_candidate_5",
      parameters: { learning_rate: 0.001, net: { layers: [64, 32], activation: "swish" } },
      metadata: { host: "gpu-1" },
      occurred_at: AT,
    },
    metric("t1", 1, { loss: 0.9, acc: 0.1 }),
    metric("t1", 2, { loss: 0.4, acc: "NaN" }),
    metric("t1", 3, { loss: 0.6 }),
    {
      event: "ml.trial.complete",
      ...of("t1"),
      spectral_norm: true,
      metrics: { loss: 0.5, "final/score": 7 },
      parameters: { learning_rate: 0.01 },
      artifact_uri: "s3://models/t1",
      duration_ms: 243600,
      rank: 3,
      warnings: ["slow disk"],
      pulse_id: "pulse-1",
      bridge_payload: { raw: [1, 2] },
      occurred_at: AT + 60_000,
      event_id: "end-1",
    },
  ];

  const EVERYTHING = {
    model_run_id: "study",
    trial_id: "t1",
    run_name: "first",
    status: "succeeded",
    spectral_norm: true,
    sync_state: "pending",
    mlflow_run_id: null,
    experiment_name: "ablation",
    started_at: "2026-02-01T00:00:00.000Z",
    ended_at: "2026-02-01T00:01:00.000Z",
    duration_ms: 243600,
    rank: 3,
    delivered_at: null,
    parameters: { learning_rate: "0.001", "net.activation": "swish", "net.layers": "[64, 32]" },
    tags: { candidate_id: "optuna_candidate_5", "metadata.host": "gpu-1", spectral_norm: "true", rank: "3" },
    fields: {
      candidate_id: "optuna_candidate_5",
      pulse_id: "pulse-1",
      artifact_uri: "s3://models/t1",
      warnings: ["slow disk"],
      metadata: { host: "gpu-1" },
      bridge_payload: { raw: [1, 2] },
    },
    metrics: {
      loss: { last: 0.5, last_step: null, min: 0.4, max: 0.9, count: 4 },
      acc: { last: "NaN", last_step: 2, min: 0.1, max: 0.1, count: 2 },
      "final/score": { last: 7, last_step: null, min: 7, max: 7, count: 1 },
    },
    counts: { events: 5, undelivered_events: 5, dead_letters: 0, points: 7 },
  };

  beforeAll(async () => {
    expect((await post(EVENTS)).body).toMatchObject({ accepted: 5 });
  });

  it("is seen whole as soon as it was acknowledged, before anything was folded", async () => {
    const { status, body } = await request(`/api/trials/${await idOf("t1")}`);
    expect(status).toBe(200);
    expect(body).toMatchObject(EVERYTHING);
    const { results } = await env.DB.prepare("select folded_seq from streams where trial_id = 't1'").all();
    expect(results, "reading writes nothing").toEqual([{ folded_seq: 0 }]);
    const { body: metrics } = await request(`/api/trials/${await idOf("t1")}/metrics`);
    expect(metrics).toEqual({ metrics: EVERYTHING.metrics });
  });

  it("is the same when it was folded, and names the parameter that changed", async () => {
    await foldAll();
    const { body } = await request(`/api/trials/${await idOf("t1")}`);
    expect(body).toMatchObject({ ...EVERYTHING, counts: { ...EVERYTHING.counts, conflicts: 1 } });
    expect(body).toMatchObject({
      conflicts: [
        {
          kind: "param",
          field: "learning_rate",
          kept: "0.001",
          refused: "0.01",
          source: "journal",
          event_id: "end-1",
        },
      ],
    });
  });

  it("shows events on top of what is folded", async () => {
    await post([
      { event: "ml.trial.start", ...of("t1"), spectral_norm: false, resume: true, occurred_at: AT + 90_000 },
      metric("t1", 4, { loss: 0.1 }),
    ]);
    const { body } = await request(`/api/trials/${await idOf("t1")}`);
    expect(body).toMatchObject({
      status: "running",
      ended_at: null,
      spectral_norm: false,
      metrics: { loss: { last: 0.5, min: 0.1, max: 0.9, count: 5 } },
      counts: { events: 7, points: 8 },
    });
  });

  it("that is known only by a metric is there as running, with its error once it failed", async () => {
    await post(metric("early", 1, { loss: 1 }));
    const path = `/api/trials/${await idOf("early")}`;
    expect((await request(path)).body).toMatchObject({
      status: "running",
      spectral_norm: null,
      run_name: null,
    });
    await post({
      event: "ml.trial.failed",
      ...of("early"),
      error_message: "CUDA out of memory",
      error_type: "OOM",
      stacktrace: "Traceback ...",
      metadata: { allocated_memory_gb: 14.5 },
    });
    expect((await request(path)).body).toMatchObject({
      status: "failed",
      fields: {
        error_message: "CUDA out of memory",
        error_type: "OOM",
        stacktrace: "Traceback ...",
        end_metadata: { allocated_memory_gb: 14.5 },
      },
    });
  });

  it("that nobody reported is not found, nor is a model run taken for one", async () => {
    const stream = await env.DB.prepare("select key from streams where kind = 'model_run'").first<string>(
      "key",
    );
    for (const path of ["nobody", "nobody/metrics", "nobody/metrics/loss", stream, `${stream}/metrics`]) {
      const { status, body } = await request(`/api/trials/${path}`);
      expect([path, status]).toEqual([path, 404]);
      expect(body).toMatchObject({ success: false, error: "not_found", status: 404 });
    }
  });

  it("takes no parameters", async () => {
    const { status, body } = await request(`/api/trials/${await idOf("t1")}?verbose=1`);
    expect(status).toBe(400);
    expect(body).toMatchObject({ errors: [{ field: "query parameter", value: '"verbose"' }] });
  });
});

describe("the history of a metric", () => {
  const LONG = 5_000;
  const T = 1_700_000_000_000;
  const wave = (step: number) => (step === 1234 ? -50 : step === 4321 ? 50 : Math.sin(step / 100));

  beforeAll(async () => {
    const steps = Array.from({ length: LONG }, (_, step) => step);
    const points = steps.map((step) => metric("h1", step, { "val/loss": wave(step) }));
    expect((await post(points)).body).toMatchObject({ accepted: LONG });
  });

  it("comes in order of step, then time, whatever order it was sent in", async () => {
    const sent = [
      metric("h2", 2, { x: 5 }, T + 20),
      metric("h2", 1, { x: 3 }, T + 40),
      metric("h2", 1, { x: 4 }, T + 30),
    ];
    await post([...sent, metric("h2", -7, { x: "-Infinity" }, T + 50), ...sent]);
    expect(await history("h2", "x")).toEqual({
      key: "x",
      points: [
        { step: -7, timestamp: T + 50, value: "-Infinity" },
        { step: 1, timestamp: T + 30, value: 4 },
        { step: 1, timestamp: T + 40, value: 3 },
        { step: 2, timestamp: T + 20, value: 5 },
      ],
      total: 4,
      downsampled: false,
    });
  });

  it("is thinned to a thousand points, without losing a spike or an end", async () => {
    const { key, points, total, downsampled } = await history("h1", "val/loss");
    expect({ key, total, downsampled }).toEqual({ key: "val/loss", total: LONG, downsampled: true });
    expect(points.length).toBeLessThanOrEqual(1000);
    expect(points.length).toBeGreaterThan(900);
    expect(points[0]?.step).toBe(0);
    expect(points.at(-1)?.step).toBe(LONG - 1);
    const steps = points.map((point) => point.step);
    expect(steps).toContain(1234);
    expect(steps).toContain(4321);
    expect(steps).toEqual(steps.toSorted((a, b) => a - b));
    expect(points.every((point) => point.value === wave(point.step))).toBe(true);
  });

  it.each([
    ["max_points=5000", 5000, 5000, false, 0, 4999],
    ["max_points=2", 2, 5000, true, 0, 4999],
    ["from_step=100&to_step=199", 100, 100, false, 100, 199],
    ["from_step=4990", 10, 10, false, 4990, 4999],
    ["to_step=9&max_points=4", 4, 10, true, 0, 9],
    ["from_step=-5&to_step=0", 1, 1, false, 0, 0],
  ])("by %s", async (query, length, total, downsampled, first, last) => {
    const read = await history("h1", `val/loss?${query}`);
    expect(read).toMatchObject({ total, downsampled });
    expect(read.points).toHaveLength(length);
    expect([read.points[0]?.step, read.points.at(-1)?.step]).toEqual([first, last]);
  });

  it("is empty where the range is, and not found where the metric is not", async () => {
    expect(await history("h1", "val/loss?from_step=6000")).toMatchObject({ points: [], total: 0 });
    expect(await history("h1", "val%2Floss?max_points=2")).toMatchObject({ key: "val/loss", total: LONG });
    const { status, body } = await request(`/api/trials/${await idOf("h1")}/metrics/val/nothing`);
    expect(status).toBe(404);
    expect(body).toMatchObject({ detail: expect.stringContaining("val/nothing") });
  });

  it.each([
    ["max_points=1", "max_points", "must be a whole number from 2 to 50000"],
    ["max_points=50001", "max_points", "must be a whole number from 2 to 50000"],
    ["from_step=1.5", "from_step", "must be a whole number from"],
    ["from_time=5", "query parameter", "must be one of from_step, to_step, max_points"],
  ])("refuses %s", async (query, field, rule) => {
    const { status, body } = await request(`/api/trials/${await idOf("h1")}/metrics/val/loss?${query}`);
    expect(status).toBe(400);
    expect(body).toMatchObject({ errors: [{ field, rule: expect.stringContaining(rule) }] });
  });

  it("of more points than a page is thinned evenly and keeps its extremes", async () => {
    await post(metric("h3", 0, { huge: 0 }));
    await env.DB.prepare(
      `insert into metric_chunks (stream_id, key, seq, n, first_seq, min_step, max_step, top, latest, points)
       with recursive n(i) as (select 1 union all select i + 1 from n where i < 119999)
       select s.id, 'huge', s.last_seq, max(i), s.last_seq, min(i), max(i), max(i), max(i),
         json_group_array(json_array(s.last_seq, i, i, i, case i when 70001 then 9 when 110003 then 'NaN' else i % 2 end))
       from n, streams s where s.trial_id = 'h3' group by i / 1000`,
    ).run();
    const { points, total } = await history("h3", "huge?max_points=300");
    expect(total).toBe(120_000);
    expect(points.length).toBeLessThanOrEqual(300);
    expect([points[0]?.step, points.at(-1)?.step]).toEqual([0, 119_999]);
    expect(points.filter((point) => point.value === 9).map((point) => point.step)).toEqual([70_001]);
    expect(points.filter((point) => point.value === "NaN").map((point) => point.step)).toEqual([110_003]);
    const secondHalf = points.filter((point) => point.step >= 60_000).length / points.length;
    expect(secondHalf).toBeGreaterThan(0.4);
    expect(secondHalf).toBeLessThan(0.6);
  });
});

describe("a metric that an end gave without a step", () => {
  const end = (metrics: object, more: object = {}) => ({
    event: "ml.trial.complete",
    ...of("f1"),
    spectral_norm: true,
    metrics,
    occurred_at: AT + 100_000,
    ...more,
  });

  it("stands at the highest step so far, from its acceptance on", async () => {
    await post([
      metric("f1", 5, { loss: 1 }),
      end({ loss: 0.5, score: "Infinity" }),
      metric("f1", 9, { other: 1 }),
    ]);
    const expected = [
      { step: 5, timestamp: AT + 5_000, value: 1 },
      { step: 9, timestamp: AT + 100_000, value: 0.5 },
    ];
    expect((await history("f1", "loss")).points).toEqual(expected);
    expect(await history("f1", "score")).toMatchObject({
      points: [{ step: 9, value: "Infinity" }],
      total: 1,
    });
    expect(await history("f1", "loss?to_step=8")).toMatchObject({ points: [expected[0]], total: 1 });
    expect(await history("f1", "score?to_step=8")).toMatchObject({ points: [], total: 0 });
    await foldAll();
    expect((await history("f1", "loss")).points).toEqual(expected);
  });

  it("is one point still when delivery has given it its step, and keeps that", async () => {
    const { id } = z
      .object({ id: z.number() })
      .parse(await env.DB.prepare("select id from streams where trial_id = 'f1'").first());
    const claimed = await claim(env.DB, id, LEASE_MS);
    if (claimed.kind !== "claimed") throw new Error("the lease is taken");
    await planHelping(env.DB, claimed.lease, claimed.stream, await readNext(env.DB, claimed.stream), 9);
    await post(metric("f1", 20, { other: 2 }));
    expect(await history("f1", "score")).toMatchObject({ points: [{ step: 9 }], total: 1 });
    // A crash before the watermark moved leaves the point stored and the event unplanned.
    await env.DB.prepare("update streams set planned_seq = 0 where id = ?1").bind(id).run();
    expect(await history("f1", "score")).toMatchObject({ points: [{ step: 9 }], total: 1 });
    expect((await history("f1", "loss")).total).toBe(2);
  });

  it("of a trial without any step stands at step 0", async () => {
    await post({ ...end({ score: 3 }), ...of("f2") });
    expect((await history("f2", "score")).points).toEqual([{ step: 0, timestamp: AT + 100_000, value: 3 }]);
  });
});
