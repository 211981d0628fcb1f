import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { FAULTS } from "../lib/fault-proxy.ts";
import { point, unwrap } from "../lib/mlflow-read.ts";
import type { Event } from "../lib/relay.ts";
import { chunks } from "../lib/study.ts";
import { verifyOnly } from "../lib/verdict.ts";
import { type Lab, openLab, UNANNOUNCED } from "./lab.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await openLab(UNANNOUNCED);
});
afterEach(() => lab.proxy.heal());
afterAll(() => lab?.close());

const AT = Date.UTC(2025, 3, 1);
const ids = (model_run_id: string) => ({ model_run_id, trial_id: "t" });

function start(id: string): Event {
  return {
    event: "ml.trial.start",
    ...ids(id),
    spectral_norm: true,
    experiment_name: id,
    parameters: { lr: 0.5 },
    metadata: { host: "a" },
    occurred_at: AT,
  };
}

function metrics(id: string, from: number, to: number): Event[] {
  return Array.from({ length: to - from }, (_, i) => {
    const step = from + i;
    const values = { loss: step / 4, acc: step % 5 === 0 ? "NaN" : step % 7 === 0 ? "Infinity" : step };
    return { event: "ml.run.metric", ...ids(id), step, metrics: values, occurred_at: AT + step * 1000 };
  });
}

const end = (id: string): Event => ({
  event: "ml.trial.complete",
  ...ids(id),
  spectral_norm: true,
  metrics: {},
  occurred_at: AT + 3_600_000,
});

/** Delivers these events, and then these, which MLflow takes and loses. */
async function deliverBut(id: string, taken: Event[], lost: Event[]): Promise<void> {
  await lab.relay.send(taken);
  await lab.relay.delivered(id);
  lab.proxy.fail({ path: "runs/log-batch" }, FAULTS.lost);
  await lab.relay.send(lost);
  await lab.relay.delivered(id);
  lab.proxy.heal();
}

const answer = z.object({
  dry_run: z.boolean(),
  points: z.number(),
  results: z.array(
    z.looseObject({
      kind: z.string(),
      trial_id: z.string().nullable(),
      outcome: z.string(),
      points: z.number(),
    }),
  ),
  next_cursor: z.unknown(),
});

async function backfill(body: object) {
  const { status, body: said } = await lab.relay.ask("/api/ops/backfill", body);
  expect(status, JSON.stringify(said)).toBe(200);
  return answer.parse(said);
}

/** The trial's part of the answer. */
async function backfillTrial(body: object) {
  const said = await backfill(body);
  expect(said.next_cursor).toBeNull();
  return said.results.find(({ kind }) => kind === "trial");
}

const writes = () =>
  lab.proxy.calls.filter(({ path }) => path === "runs/log-batch" || path === "runs/update");

/** The points that MLflow was sent since. */
function sentSince(count: number): string[] {
  const batch = z.object({
    metrics: z
      .array(
        z.object({
          key: z.string(),
          step: z.number(),
          timestamp: z.number(),
          value: z.union([z.number(), z.string()]),
        }),
      )
      .default([]),
  });
  return writes()
    .slice(count)
    .flatMap(({ body }) => batch.parse(JSON.parse(body)).metrics)
    .map(({ key, step, timestamp, value }) => point(key, step, timestamp, Number(value)))
    .sort();
}

test("the dry run names what is missing and changes nothing; then exactly that is sent, and confirmed", async () => {
  const id = "missing";
  await deliverBut(id, [start(id), ...metrics(id, 0, 30)], [...metrics(id, 30, 42), end(id)]);
  expect(await verifyOnly(lab.relay, id)).toMatchObject({
    verdict: "differs",
    report: { points: { compared: 84, missing: 24 } },
  });
  const before = { writes: writes().length, run: await lab.mlflow.trial(id, "t") };

  const dry = await backfillTrial({ model_run_id: id, dry_run: true });
  expect(dry).toMatchObject({
    outcome: "would_send",
    points: 24,
    keys: {
      acc: { count: 12, sample: [{ step: 30, timestamp: AT + 30_000, value: "NaN" }, {}, {}, {}, {}] },
      loss: { count: 12, sample: [{ step: 30, timestamp: AT + 30_000, value: 7.5 }, {}, {}, {}, {}] },
    },
    params: {},
    state: [],
  });
  expect(writes()).toHaveLength(before.writes);
  expect(await lab.mlflow.trial(id, "t")).toEqual(before.run);
  expect(lab.relay.store.behind(id)).toEqual([]);

  expect(await backfillTrial({ model_run_id: id })).toMatchObject({ outcome: "queued", points: 24 });
  await lab.relay.delivered(id);
  const run = await lab.mlflow.trial(id, "t");
  expect(sentSince(before.writes)).toEqual(
    run.points.filter((text) => !before.run.points.includes(text)).sort(),
  );
  expect(run.points).toHaveLength(84);
  expect(await verifyOnly(lab.relay, id)).toMatchObject({ verdict: "confirmed" });
  expect(await backfillTrial({ model_run_id: id })).toMatchObject({ outcome: "nothing", points: 0 });
});

test("a range of steps or of time is sent, and nothing else", async () => {
  const id = "range";
  await deliverBut(id, [start(id)], [...metrics(id, 0, 20), end(id)]);
  const steps = await backfillTrial({ ...ids(id), from_step: 5, to_step: 9 });
  expect(steps).toMatchObject({
    outcome: "queued",
    points: 10,
    keys: { loss: { count: 5 }, acc: { count: 5 } },
  });
  await lab.relay.delivered(id);
  const stepsOf = async () =>
    (await lab.mlflow.trial(id, "t")).points
      .flatMap((text) => /^loss #(\d+)/.exec(text)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
  expect(await stepsOf()).toEqual([5, 6, 7, 8, 9]);
  const to_time = new Date(AT + 6_000).toISOString();
  expect(await backfillTrial({ model_run_id: id, to_time })).toMatchObject({ points: 10 });
  await lab.relay.delivered(id);
  expect(await stepsOf()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("a lost parameter, a changed tag and a changed status are put right", async () => {
  const id = "rest";
  lab.proxy.fail({ path: "runs/log-batch" }, FAULTS.lost);
  await lab.relay.send([start(id), end(id)]);
  await lab.relay.delivered(id);
  lab.proxy.heal();
  const { runId } = await lab.mlflow.trial(id, "t");
  unwrap(await lab.mlflow.client.setTag({ runId, key: "metadata.host", value: "b" }));
  unwrap(await lab.mlflow.client.setTag({ runId, key: "thunderline_model_run_id", value: id }));
  unwrap(await lab.mlflow.client.updateRun({ runId, status: "FAILED", endTime: AT }));
  const dry = await backfillTrial({ model_run_id: id, dry_run: true });
  expect(dry).toMatchObject({
    outcome: "would_send",
    points: 0,
    params: { lr: "0.5" },
    tags: { "metadata.host": "a" },
    state: [
      { field: "status", expected: "FINISHED", found: "FAILED" },
      { field: "end_time", expected: AT + 3_600_000, found: AT },
    ],
  });
  expect(await backfillTrial({ model_run_id: id })).toMatchObject({ outcome: "queued" });
  await lab.relay.delivered(id);
  expect(await lab.mlflow.trial(id, "t")).toMatchObject({
    status: "FINISHED",
    endTime: AT + 3_600_000,
    params: { lr: "0.5" },
    tags: { "metadata.host": "a" },
  });
  expect(await verifyOnly(lab.relay, id)).toMatchObject({ verdict: "confirmed" });
});

test("sending everything again doubles nothing, whatever values it holds", async () => {
  const id = "again";
  await lab.relay.send([start(id), ...metrics(id, 0, 40), end(id)]);
  await lab.relay.delivered(id);
  const before = await lab.mlflow.trial(id, "t");
  expect(await backfillTrial({ model_run_id: id, only_missing: false })).toMatchObject({
    outcome: "queued",
    points: 80,
  });
  await lab.relay.delivered(id);
  const { tags: _, ...after } = await lab.mlflow.trial(id, "t");
  expect(before).toMatchObject(after);
  expect(lab.relay.store.deadLetters(id)).toEqual([]);
  expect(await verifyOnly(lab.relay, id)).toMatchObject({ verdict: "confirmed" });
});

test("what is too much for one helping is sent in several, by the cursor", async () => {
  const id = "large";
  const keys = Array.from({ length: 80 }, (_, k) => `m${k}`);
  const many = Array.from({ length: 300 }, (_, step) => ({
    event: "ml.run.metric",
    ...ids(id),
    step,
    metrics: Object.fromEntries(keys.map((key) => [key, step])),
    occurred_at: AT + step,
  }));
  await lab.relay.send(start(id));
  await lab.relay.delivered(id);
  lab.proxy.fail({ path: "runs/log-batch" }, FAULTS.lost);
  for (const batch of chunks(many, 100)) await lab.relay.send(batch);
  await lab.relay.delivered(id);
  lab.proxy.heal();
  let points = 0;
  let helpings = 0;
  for (let cursor: unknown = null; helpings === 0 || cursor !== null; helpings++) {
    const said = await backfill({ ...ids(id), cursor });
    if (said.results.some(({ outcome }) => outcome === "busy"))
      await new Promise((done) => setTimeout(done, 500));
    else points += said.points;
    cursor = said.next_cursor;
  }
  expect([points, helpings > 1]).toEqual([24_000, true]);
  await lab.relay.delivered(id);
  expect(await verifyOnly(lab.relay, id)).toMatchObject({
    verdict: "confirmed",
    report: { points: { compared: 24_000 } },
  });
});

test.each([
  [{}, 400, /body must name what to send again/],
  [{ model_run_id: "x", since: 1 }, 400, /since is not a field of a back-fill/],
  [{ model_run_id: "x", from_time: "yesterday" }, 400, /from_time must be an ISO 8601 time/],
  [{ model_run_id: "x", cursor: 5 }, 400, /cursor must be the next_cursor/],
  [{ model_run_id: "none" }, 404, /There is no trial or model run of that name/],
])("%j is answered %i", async (body, status, detail) => {
  const said = await lab.relay.ask("/api/ops/backfill", body);
  expect([said.status, said.body.detail]).toEqual([status, expect.stringMatching(detail)]);
});
