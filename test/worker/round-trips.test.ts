import { env } from "cloudflare:workers";
import { beforeEach, expect, test } from "vitest";
import { type Facts, type JournalEvent, type Point, streamIdentity } from "../../src/domain/types.ts";
import { companyOf, drive } from "../../src/relay/delivery/drive.ts";
import { digest } from "../../src/relay/intake/identify.ts";
import { ingest } from "../../src/relay/intake/ingest.ts";
import { FakeMlflow } from "./fake-mlflow.ts";
import { metered } from "./metered.ts";

/** What a turn costs: round trips to the database, which wait for each other, and rows written, which are paid for. */

const POLLS_MS = 1_000;
let count = 0;

/** A trial of a model run that announces itself, and a meter on its turns. */
async function world(vars: Record<string, string> = {}) {
  const mlflow = new FakeMlflow();
  const { db, meter } = metered(env.DB);
  const deps = mlflow.deps({ RELAY_ANNOUNCE_GRACE_SECONDS: "0", ...vars, DB: db });
  const modelRunId = `counted-${++count}`;
  const trialId = `counted-${count}`;
  const parentKey = await digest(streamIdentity(modelRunId, null));
  const key = await digest(streamIdentity(modelRunId, trialId));
  const parent = { key: parentKey, kind: "model_run" as const, modelRunId, trialId: null, parentKey: null };
  const trial = { key, kind: "trial" as const, modelRunId, trialId, parentKey };
  const say = async (stream: JournalEvent["stream"], facts: Facts | null, points: Point[] = []) => {
    const id = `counted-${++count}`;
    const at = Date.now();
    const event = { stream, id, type: "ml.trial.start" as const, hash: id, correlationId: id, facts, points };
    await ingest({ ...deps, db: env.DB }, [{ ...event, occurredAt: at, acceptedAt: at }]);
  };
  const idOf = async (of: string) =>
    (await env.DB.prepare("select id from streams where key = ?1").bind(of).first<number>("id")) ?? 0;
  await say(parent, { announces: true, starts: true, fields: { experiment_name: modelRunId } });
  await say(trial, { announces: true, starts: true, params: { lr: "0.1" }, tags: { host: "n1" } }, [at(1)]);
  const id = await idOf(key);
  const counted = async (turns: () => Promise<unknown>) => {
    const [trips, rows] = [meter.roundTrips, meter.rowsWritten];
    await turns();
    return { roundTrips: meter.roundTrips - trips, rowsWritten: meter.rowsWritten - rows };
  };
  return {
    mlflow,
    meter,
    id,
    points: () => [...mlflow.runs.values()].flatMap(({ metrics }) => metrics.map(({ step }) => step)),
    metric: (step: number) => say(trial, null, [at(step)]),
    say: (facts: Facts) => say(trial, facts),
    parentTurn: async () => drive(deps, await idOf(parentKey)),
    /** What a turn with the trial costs. */
    turn: () => counted(() => drive(deps, id)),
    /** What turns of one invocation with the model run and the trial cost. */
    bothTurns: async () => {
      const parentId = await idOf(parentKey);
      const company = companyOf(deps);
      return counted(() => Promise.all([drive(deps, parentId, company), drive(deps, id, company)]));
    },
  };
}

function at(step: number): Point {
  return { key: "loss", value: 1 / step, step, timestamp: 1_000 + step };
}

beforeEach(async () => {
  await env.DB.prepare("update streams set calling_until = null").run();
});

function expectWithin(cost: { roundTrips: number; rowsWritten: number }, most: typeof cost): void {
  expect(cost.roundTrips).toBeLessThanOrEqual(most.roundTrips);
  expect(cost.rowsWritten).toBeLessThanOrEqual(most.rowsWritten);
}

test("the first delivery of a model run with its trial, both of which get their runs", async () => {
  const w = await world();
  expectWithin(await w.turn(), { roundTrips: 15, rowsWritten: 58 });
  expect(w.mlflow.calls).toEqual(["experiments/get-by-name", "runs/create", "runs/create", "runs/log-batch"]);
});

test("the same by turns of both in one invocation: the trial's asks once for the run that the other makes", async () => {
  const w = await world();
  expectWithin(await w.bothTurns(), { roundTrips: 17, rowsWritten: 58 });
  const [, , ...batches] = w.mlflow.calls.filter((call) => call !== "experiments/get-by-name");
  expect(batches).toEqual(["runs/log-batch"]);
});

test("the first delivery of a trial whose model run has its run", async () => {
  const w = await world();
  await w.parentTurn();
  expectWithin(await w.turn(), { roundTrips: 7, rowsWritten: 28 });
  expect(w.mlflow.calls.slice(-2)).toEqual(["runs/create", "runs/log-batch"]);
});

test("one event of a trial that has its run", async () => {
  const w = await world();
  await w.turn();
  for (const step of [2, 3, 4]) {
    await w.metric(step);
    expectWithin(await w.turn(), { roundTrips: 3, rowsWritten: 5 });
  }
  expect(w.points()).toEqual([1, 2, 3, 4]);
});

test("the same after all that was sent has been confirmed", async () => {
  const w = await world();
  await w.turn();
  await env.DB.prepare("update streams set unconfirmed = null where id = ?1").bind(w.id).run();
  await w.metric(2);
  expectWithin(await w.turn(), { roundTrips: 3, rowsWritten: 5 });
  expect(w.points()).toEqual([1, 2]);
});

test("many events of a trial cost one turn no more than one does, but for the rows of their metrics", async () => {
  const w = await world();
  await w.turn();
  for (let step = 2; step <= 50; step++) await w.metric(step);
  expectWithin(await w.turn(), { roundTrips: 3, rowsWritten: 5 });
  expect(w.points()).toHaveLength(50);
});

test("a tag that changes, which takes a look first", async () => {
  const w = await world();
  await w.turn();
  await w.say({ tags: { host: "n2" } });
  expectWithin(await w.turn(), { roundTrips: 8, rowsWritten: 10 });
});

test("an end with metrics of its own", async () => {
  const w = await world();
  await w.turn();
  await w.say({ announces: true, ends: "succeeded", finals: { loss: 0.1 } });
  expectWithin(await w.turn(), { roundTrips: 11, rowsWritten: 23 });
  expect(w.points()).toEqual([1, 1]);
});

test("a turn with nothing to do", async () => {
  const w = await world();
  await w.turn();
  expectWithin(await w.turn(), { roundTrips: 3, rowsWritten: 2 });
});

test("a turn that finds its stream in other hands writes nothing but that a poke was spent on it", async () => {
  const w = await world();
  await env.DB.prepare("update streams set lease_token = 'x', lease_until = 9e15 where id = ?1")
    .bind(w.id)
    .run();
  expectWithin(await w.turn(), { roundTrips: 2, rowsWritten: 1 });
  expectWithin(await w.turn(), { roundTrips: 2, rowsWritten: 0 });
});

test("waiting for a place among the callers writes nothing, and a place is held only around calls", async () => {
  const w = await world({ RELAY_MAX_CONCURRENT_CALLS: "1" });
  await w.turn();
  const places = env.DB.prepare("select count(*) as n from streams where calling_until is not null");
  expect(await places.first("n")).toBe(0);
  const other = await world();
  await env.DB.batch([
    env.DB.prepare("update streams set calling_until = 9e15 where id = ?1").bind(other.id),
    env.DB.prepare("insert into callers (n, stream_id) select 1 + max(n), ?1 from callers").bind(other.id),
  ]);
  await w.metric(2);
  const turn = w.turn();
  await new Promise((resolve) => setTimeout(resolve, POLLS_MS));
  const { roundTrips, rowsWritten } = w.meter;
  await new Promise((resolve) => setTimeout(resolve, POLLS_MS));
  expect(w.meter.roundTrips).toBeGreaterThan(roundTrips);
  expect(w.meter.rowsWritten).toBe(rowsWritten);
  expect(w.points()).toEqual([1]);
  await env.DB.prepare("update streams set calling_until = null where id = ?1").bind(other.id).run();
  await turn;
  expect(w.points()).toEqual([1, 2]);
});
