import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import * as z from "zod";
import { app } from "../../src/app.ts";
import { ADMIN, foldAll, idOf, post, request } from "./api.ts";
import { metered } from "./metered.ts";

const LONG = 100_000;
const AT = Date.parse("2026-02-01T00:00:00Z");
const of = (trial_id: string) => ({ model_run_id: "study", trial_id });
const metric = (trial_id: string, step: number, metrics: object) => ({
  event: "ml.run.metric",
  ...of(trial_id),
  step,
  metrics,
  occurred_at: AT + step * 1000,
});

const answer = z.object({
  seq: z.string(),
  reset: z.boolean(),
  curves: z.array(
    z.object({
      trial: z.string().nullable(),
      run: z.string().nullable(),
      key: z.string(),
      steps: z.array(z.number()),
      timestamps: z.array(z.number()),
      values: z.array(z.union([z.number(), z.string()])),
      thinned: z.boolean(),
      unavailable: z.string().nullable(),
    }),
  ),
});

async function curves(trials: readonly string[], query: Record<string, string | number>) {
  const ids = await Promise.all(trials.map(idOf));
  const asked = new URLSearchParams({ trials: ids.join(","), ...query });
  const { status, body } = await request(`/api/curves?${asked}`);
  expect(status, JSON.stringify(body)).toBe(200);
  return answer.parse(body);
}

/** What the database reads for a request, once it was asked before. */
async function cost(path: string, headers: Record<string, string> = {}) {
  const { db, meter } = metered(env.DB);
  const init = { headers: { authorization: `Bearer ${ADMIN}`, ...headers } };
  const response = await app.request(path, init, { ...env, DB: db }, createExecutionContext());
  const bytes = (await response.text()).length;
  return { status: response.status, etag: response.headers.get("etag") ?? "", bytes, meter };
}

/**
 * Points as many requests would have brought them, each with as many as `each` says: from step `from` on, with a spike, a
 * dip, a NaN and infinities.
 */
async function lengthen(trialId: string, key: string, points: number, from = 1, each = 1_000): Promise<void> {
  await env.DB.prepare(
    `insert into metric_chunks (stream_id, key, seq, n, first_seq, min_step, max_step, top, latest, points)
     with recursive n(i) as (select cast(?4 as integer) union all select i + 1 from n where i < ?3 + ?4 - 1)
     select s.id, ?2, s.last_seq + (i - cast(?4 as integer)) / cast(?6 as integer), max(i), s.last_seq + (i - cast(?4 as integer)) / cast(?6 as integer), min(i), max(i), max(i), ?5 + max(i) * 1000,
       json_group_array(json_array(s.last_seq + (i - cast(?4 as integer)) / cast(?6 as integer), i, i, ?5 + i * 1000,
         case i when 70001 then 9 when 30003 then -9 when 50001 then 'NaN' when 50002 then 'Infinity'
           when 50003 then '-Infinity' else (i % 7) / 7.0 end))
     from n, streams s where s.trial_id = ?1 group by s.id, (i - cast(?4 as integer)) / cast(?6 as integer)`,
  )
    .bind(trialId, key, points, from, AT, each)
    .run();
  await env.DB.batch([
    env.DB.prepare(
      `update streams set last_seq = (select max(c.seq) from metric_chunks c where c.stream_id = streams.id)
       where trial_id = ?1`,
    ).bind(trialId),
    env.DB.prepare(
      "update tallies set value = (select max(last_seq) from streams) where name = 'journal.seq'",
    ),
  ]);
}

describe("the metrics of some trials", () => {
  it("are named with the trials, those of events that are not folded too", async () => {
    await post([
      { event: "ml.trial.start", ...of("k1"), spectral_norm: true, run_name: "one", occurred_at: AT },
      metric("k1", 1, { loss: 1, "val/loss": 2 }),
      metric("k2", 5, { loss: 1 }),
    ]);
    await foldAll();
    await post([
      metric("k1", 2, { late: 1 }),
      { event: "ml.trial.complete", ...of("k2"), spectral_norm: false, metrics: { score: 1 } },
    ]);
    const [k1, k2] = [await idOf("k1"), await idOf("k2")];
    const { status, body } = await request(`/api/curves/metrics?trials=${k2},${k1}`);
    expect([status, body]).toEqual([
      200,
      {
        sources: [
          expect.objectContaining({ trial: k2, trial_id: "k2", origin: "2026-02-01T00:00:05.000Z" }),
          expect.objectContaining({
            trial: k1,
            run_name: "one",
            status: "running",
            spectral_norm: true,
            origin: "2026-02-01T00:00:00.000Z",
          }),
        ],
        metrics: [
          { key: "late", sources: 1 },
          { key: "loss", sources: 2 },
          { key: "score", sources: 1 },
          { key: "val/loss", sources: 1 },
        ],
        truncated: false,
      },
    ]);
  });

  it.each([
    ["", 400, "missing required field: trials"],
    ["?trials=a,,b", 400, "must be 1 to 50 values with commas between them, each once"],
    ["?trials=a,a", 400, "must be 1 to 50 values with commas between them, each once"],
    ["?trials=nobody", 404, "There is no trial nobody."],
    ["?runs=nobody", 404, "There is no run nobody."],
  ])("are refused for %j", async (query, expected, words) => {
    const { status, body } = await request(`/api/curves/metrics${query}`);
    expect([status, JSON.stringify(body)]).toEqual([expected, expect.stringContaining(words)]);
  });
});

describe("short curves", () => {
  beforeAll(async () => {
    await post([
      metric("s1", 3, { "a b/c:d": 3, loss: "NaN" }),
      metric("s1", 1, { "a b/c:d": 1, loss: "-Infinity" }),
      metric("s2", 2, { loss: 0.5 }),
    ]);
  });

  it("are whole, by columns, in order of step, of every trial that has them", async () => {
    const { curves: found } = await curves(["s2", "s1"], { keys: "loss,a b/c:d,nothing" });
    const [s1, s2] = [await idOf("s1"), await idOf("s2")];
    const rest = { run: null, thinned: false, unavailable: null };
    expect(found).toEqual([
      { trial: s2, key: "loss", steps: [2], timestamps: [AT + 2_000], values: [0.5], ...rest },
      {
        trial: s1,
        key: "loss",
        steps: [1, 3],
        timestamps: [AT + 1_000, AT + 3_000],
        values: ["-Infinity", "NaN"],
        ...rest,
      },
      {
        trial: s1,
        key: "a b/c:d",
        steps: [1, 3],
        timestamps: [AT + 1_000, AT + 3_000],
        values: [1, 3],
        ...rest,
      },
    ]);
  });

  it.each([
    [{ from: 2 }, [3]],
    [{ to: 2 }, [1]],
    [{ from: 4 }, undefined],
    [{ axis: "time", from: AT + 2_000, to: AT + 3_000 }, [3]],
    [{ axis: "relative", from: 0, to: 1_000 }, [1]],
    [{ axis: "relative", from: -5_000 }, [1, 3]],
  ])("within %j", async (window, steps) => {
    // The first point that came is the origin where no start did.
    await env.DB.prepare("update trials set started_at = null").run();
    const origin = "axis" in window && window.axis === "relative" ? -2_000 : 0;
    const moved = Object.fromEntries(
      Object.entries(window).map(([name, value]) => [
        name,
        typeof value === "number" ? value + origin : value,
      ]),
    );
    const { curves: found } = await curves(["s1"], { keys: "loss", ...moved });
    expect(found[0]?.steps).toEqual(steps);
  });

  it("have the metric of an end that has no step yet, and say what came after an event", async () => {
    await post(metric("f1", 7, { loss: 1 }));
    const before = await curves(["f1"], { keys: "loss,score" });
    expect(before.curves.map(({ key }) => key)).toEqual(["loss"]);
    expect((await curves(["f1"], { keys: "loss,score", after: before.seq })).curves).toEqual([]);
    await post([
      metric("f1", 8, { loss: 2 }),
      {
        event: "ml.trial.complete",
        ...of("f1"),
        spectral_norm: true,
        metrics: { score: 5 },
        occurred_at: AT,
      },
    ]);
    const { curves: news, reset } = await curves(["f1"], { keys: "loss,score", after: before.seq });
    expect(reset).toBe(false);
    expect(news.map(({ key, steps, values }) => [key, steps, values])).toEqual([
      ["loss", [8], [2]],
      ["score", [8], [5]],
    ]);
  });

  it("say what came after an event of each trial, whichever has more of them", async () => {
    await post([1, 2, 3, 4, 5].map((step) => metric("many", step, { loss: step })));
    await post(metric("few", 1, { loss: 1 }));
    const before = await curves(["many", "few"], { keys: "loss" });
    await post(metric("few", 2, { loss: 2 }));
    const after = await curves(["many", "few"], { keys: "loss", after: before.seq });
    expect(after.reset).toBe(false);
    expect(after.curves.map(({ trial, steps }) => [trial, steps])).toEqual([[await idOf("few"), [2]]]);
    expect(await curves(["many", "few"], { keys: "loss", after: after.seq })).toMatchObject({
      reset: false,
      curves: [],
    });
  });

  it.each([["9"], ["1-2-3"]])(
    "are to be read whole again after %s, which is of other trials",
    async (after) => {
      await post(["m1", "m2"].map((trial) => metric(trial, 1, { loss: 1 })));
      expect(await curves(["m1", "m2"], { keys: "loss", after })).toMatchObject({ reset: true, curves: [] });
    },
  );

  it("are answered 304 after one look while nothing came", async () => {
    await post(metric("e1", 1, { loss: 1 }));
    const path = `/api/curves?trials=${await idOf("e1")}&keys=loss`;
    const first = await cost(path);
    const second = await cost(path, { "if-none-match": first.etag });
    expect([second.status, second.bytes, second.meter.roundTrips]).toEqual([304, 0, 1]);
    await post(metric("e1", 2, { loss: 1 }));
    expect((await cost(path, { "if-none-match": first.etag })).status).toBe(200);
  });

  it.each([
    ["keys=", "keys"],
    [`keys=${Array.from({ length: 51 }, (_, i) => `k${i}`).join(",")}`, "keys"],
    ["", "keys"],
    ["keys=loss&max_points=3", "max_points"],
    ["keys=loss&axis=epoch", "axis"],
    ["keys=loss&from=1.5", "from"],
    ["keys=loss&after=-1", "after"],
    ["keys=loss&step=1", "query parameter"],
  ])("are refused for %s", async (query, field) => {
    const { status, body } = await request(`/api/curves?trials=${await idOf("s1")}&${query}`);
    expect(status).toBe(400);
    expect(body).toMatchObject({ errors: [{ field }] });
  });
});

describe("long curves", () => {
  const TRIALS = Array.from({ length: 4 }, (_, i) => `l${i}`);
  const notable = { 70001: 9, 30003: -9, 50001: "NaN", 50002: "Infinity", 50003: "-Infinity" };

  beforeAll(async () => {
    await post(TRIALS.map((trial) => metric(trial, 0, { loss: 0 })));
    for (const trial of TRIALS) await lengthen(trial, "loss", LONG, 1, trial === "l2" ? 1 : 1_000);
  }, 120_000);

  it("are thinned with their ends, spikes and marks", async () => {
    const { curves: found } = await curves(TRIALS, { keys: "loss", max_points: 2_000 });
    expect(found).toHaveLength(TRIALS.length);
    for (const { steps, timestamps, values, thinned } of found) {
      expect([thinned, steps[0], steps.at(-1)]).toEqual([true, 0, LONG]);
      expect(steps.length).toBeLessThanOrEqual(2_000);
      expect(steps.length).toBeGreaterThan(800);
      expect([timestamps.length, values.length]).toEqual([steps.length, steps.length]);
      const at = new Map(steps.map((step, i) => [step, values[i]]));
      for (const [step, value] of Object.entries(notable)) expect(at.get(Number(step))).toBe(value);
      expect(timestamps.every((time, i) => time === AT + (steps[i] ?? 0) * 1000)).toBe(true);
    }
  });

  it("are not gone through again, and what came since is there", async () => {
    const path = `/api/curves?trials=${(await Promise.all(TRIALS.map(idOf))).join(",")}&keys=loss`;
    await cost(path);
    await post([metric("l0", 100_001, { loss: 77 }), metric("l1", 55_555, { loss: -77 })]);
    const { bytes, meter } = await cost(path);
    expect(meter.rowsRead, meter.worst()).toBeLessThan(100);
    expect(meter.roundTrips).toBeLessThanOrEqual(4);
    expect(bytes).toBeLessThan(TRIALS.length * 50_000);
    const { curves: found } = await curves(["l0", "l1"], { keys: "loss" });
    expect(found.map(({ values }) => [values.includes(77), values.includes(-77)])).toEqual([
      [true, false],
      [false, true],
    ]);
  });

  it("are read anew where very much came since, and kept again", async () => {
    await lengthen("l2", "loss", 25_000, LONG + 1, 1);
    const path = `/api/curves?trials=${await idOf("l2")}&keys=loss`;
    const { meter } = await cost(path);
    expect(meter.rowsRead).toBeGreaterThan(LONG);
    expect((await cost(path)).meter.rowsRead).toBeLessThan(50);
    const after = await curves(["l2"], { keys: "loss,other", after: 1 });
    expect(after).toMatchObject({ reset: true, curves: [] });
  });

  it("are finer where a part of them is asked for, and only its rows are read", async () => {
    const id = await idOf("l3");
    const asked = `trials=${id}&keys=loss`;
    const exact = await curves(["l3"], { keys: "loss", from: 69_000, to: 70_999, max_points: 2_000 });
    expect(exact.curves[0]?.steps).toEqual(Array.from({ length: 2_000 }, (_, i) => 69_000 + i));
    const { meter } = await cost(`/api/curves?${asked}&from=40000&to=59999`);
    expect(meter.rowsRead).toBeLessThan(90_000);
    const window = { axis: "time", from: AT + 49_000_000, to: AT + 51_000_000, max_points: 2_000 };
    const [inTime] = (await curves(["l3"], { keys: "loss", ...window })).curves;
    expect([inTime?.steps[0], inTime?.steps.at(-1)]).toEqual([49_000, 51_000]);
    expect(inTime?.values).toContain("NaN");
  });
});

describe("curves of what MLflow has only", () => {
  const runs = `insert into mlflow_runs (mlflow_run_id, mlflow_experiment_id, status, lifecycle_stage, synced_at)
    select value, '1', 'FINISHED', 'active', 1 from json_each(?1)`;
  const pruned = async (trial: string) => {
    await env.DB.batch([
      env.DB.prepare(
        `update streams set pruned_at = 1, pruned_seq = last_seq, mlflow_run_id = 'run-of-' || trial_id where trial_id = ?1`,
      ).bind(trial),
      env.DB.prepare(
        "delete from metric_chunks where stream_id in (select id from streams where trial_id = ?1)",
      ).bind(trial),
    ]);
    return idOf(trial);
  };
  const away = () => vi.spyOn(globalThis, "fetch").mockRejectedValue(new TypeError("no network"));

  it("say why they are not there while it is away, and the others are shown", async () => {
    away();
    await post([metric("p1", 1, { loss: 1 }), metric("p2", 1, { loss: 1 })]);
    await env.DB.prepare(runs)
      .bind(JSON.stringify(["run-of-p1", "only-1"]))
      .run();
    const ids = [await pruned("p1"), await idOf("p2")];
    const { body } = await request(`/api/curves?trials=${ids.join(",")}&runs=only-1&keys=loss`);
    const found = answer.parse(body).curves;
    expect(found.map(({ trial, steps, unavailable }) => [trial, steps, unavailable !== null])).toEqual([
      [ids[0], [], true],
      [ids[1], [1], false],
      [null, [], true],
    ]);
  });

  it("are there when it is, in any part, with what came here since", async () => {
    vi.spyOn(globalThis, "fetch").mockImplementation(async () =>
      Response.json({
        metrics: [1, 2, 3].map((step) => ({ key: "loss", value: step, step, timestamp: AT + step * 1000 })),
      }),
    );
    await post(metric("p3", 1, { loss: 1 }));
    await env.DB.prepare(runs)
      .bind(JSON.stringify(["run-of-p3", "only-2"]))
      .run();
    const id = await pruned("p3");
    await post(metric("p3", 4, { loss: 4 }));
    const { body } = await request(`/api/curves?trials=${id}&runs=only-2&keys=loss`);
    expect(answer.parse(body).curves.map(({ steps, values }) => [steps, values])).toEqual([
      [
        [1, 2, 3, 4],
        [1, 2, 3, 4],
      ],
      [
        [1, 2, 3],
        [1, 2, 3],
      ],
    ]);
    const part = `axis=time&from=${AT + 2_000}&to=${AT + 2_500}`;
    const { body: inPart } = await request(`/api/curves?runs=only-2&keys=loss&${part}`);
    expect(answer.parse(inPart).curves.map(({ steps }) => steps)).toEqual([[2]]);
  });

  it("are there without it where they were drawn before their points were pruned", async () => {
    await post(metric("p4", 0, { loss: 0 }));
    await lengthen("p4", "loss", 5_000);
    const before = await curves(["p4"], { keys: "loss" });
    await pruned("p4");
    away();
    expect((await curves(["p4"], { keys: "loss" })).curves).toEqual(
      before.curves.map((curve) => ({ ...curve, run: "run-of-p4" })),
    );
  });
});
