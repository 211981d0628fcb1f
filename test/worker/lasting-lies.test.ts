import { env } from "cloudflare:workers";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { drive } from "../../src/relay/delivery/drive.ts";
import { deleteDoubles } from "../../src/relay/follow/doubles.ts";
import { confirmDelivered } from "../../src/relay/stream/confirm.ts";
import { wire } from "../../src/wire.ts";
import { recordingQueue } from "./job-tools.ts";
import { metered } from "./metered.ts";
import { FORBIDDEN, type Odd, oddWorld, type Run, STUDY, TOO_LONG, UNKNOWN } from "./odd-mlflow.ts";

/** What stands between and keeps at it: no loop is hot, no pass takes more than it has, and nobody else waits. */

/** D1's limit for an invocation. */
const MAX_STATEMENTS = 1_000;
const HALF = () => 0.5;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
});
afterEach(() => {
  vi.useRealTimers();
});

type World = Awaited<ReturnType<typeof oddWorld>>;

/** How long each of some turns of the trial's says to wait for the next. */
async function waits(w: World, turns: number): Promise<number[]> {
  const trial = (await w.streams()).find(({ kind }) => kind === "trial");
  const waited: number[] = [];
  for (let n = 0; n < turns; n++) {
    const driven = await drive({ ...w.deps, random: HALF }, trial?.id ?? 0);
    const ms = "poke" in driven ? (driven.poke ?? 0) : driven.busy;
    waited.push(ms);
    w.later(ms + 1);
  }
  return waited;
}

const GONE: Odd = {
  status: 404,
  body: JSON.stringify({ error_code: "RESOURCE_DOES_NOT_EXIST", message: "No Experiment with id=1 exists" }),
};
const SWALLOWED: Odd = { status: 200, body: "{}" };

test("where a create is answered that there is no such experiment, again and again, the waits grow", async () => {
  const w = await oddWorld({ RELAY_PARENT_RUNS: "false" });
  await w.say(STUDY.slice(1, -1));
  w.mlflow.odd = (called) => (called === "runs/create" ? GONE : null);
  const waited = await waits(w, 8);
  expect(
    waited.slice(1).every((ms) => ms >= 500),
    waited.join(),
  ).toBe(true);
  expect(Math.max(...waited), waited.join()).toBeGreaterThan(4_000);
  w.mlflow.odd = () => null;
  for (let n = 0; n < 3; n++) {
    w.later(60_000);
    await waits(w, 3);
  }
  expect(w.trialRun().map(({ status, points }) => [status, points.size])).toEqual([["KILLED", 4]]);
});

test.each<[string, Odd]>([
  ["that there is no such run", UNKNOWN],
  ["by something between", FORBIDDEN],
])(
  "an answer %s, once a write was waited for that may still land, counts as the first of its kind",
  async (_, odd) => {
    const timeoutMs = 30_000;
    const w = await oddWorld({ RELAY_PARENT_RUNS: "false", MLFLOW_REQUEST_TIMEOUT: String(timeoutMs) });
    await w.say(STUDY.slice(1, -1));
    w.mlflow.odd = (called) => {
      if (called === "runs/log-batch") throw new Error("connection reset");
      return null;
    };
    const landedBy = Date.now() + 2 * timeoutMs;
    while (Date.now() < landedBy) await waits(w, 1);
    w.mlflow.odd = (called) => (called.startsWith("runs/") ? odd : null);
    await waits(w, 1);
    expect((await w.streams()).map(({ blocked }) => blocked)).toEqual([null, null]);
    w.mlflow.odd = () => null;
    await w.turns(8);
    expect(w.trialRun().map(({ status, points }) => [status, points.size])).toEqual([["KILLED", 4]]);
  },
);

/** Trials that are delivered, of whose runs MLflow knows those that are put there. */
async function delivered(trials: number, values: { unconfirmed?: string; recheckAt?: number }) {
  const rows = Array.from({ length: trials }, (_, n) => ({
    key: crypto.randomUUID().replaceAll("-", ""),
    nonce: `${values.recheckAt === undefined ? "a" : "b"}.${n}`,
  }));
  await env.DB.prepare(
    `insert into streams (key, kind, trial_id, created_at, updated_at, last_seq, folded_seq, planned_seq, delivered_seq,
       delivered_at, mlflow_experiment_id, mlflow_run_id, create_nonce, unconfirmed, recheck_at)
     select value ->> 'key', 'trial', value ->> 'key', 1, 1, 1, 1, 1, 1, 1, '1', value ->> 'key', value ->> 'nonce', ?2, ?3
     from json_each(?1)`,
  )
    .bind(JSON.stringify(rows), values.unconfirmed ?? null, values.recheckAt ?? null)
    .run();
  return rows;
}

test("with automatic delivery off what was delivered by hand and swallowed is sent again all the same", async () => {
  const w = await oddWorld({ RELAY_PARENT_RUNS: "false", MLFLOW_AUTO_SYNC: "false" });
  await w.say(STUDY.slice(1, 4));
  await env.DB.prepare("update streams set forced = 1").run();
  let left = 1;
  w.mlflow.odd = (called) => (called === "runs/log-batch" && left-- > 0 ? SWALLOWED : null);
  await waits(w, 2);
  expect(w.trialRun()[0]?.points.size).toBe(0);
  await confirmDelivered(w.deps);
  await waits(w, 3);
  expect(w.trialRun()[0]?.points.size).toBe(2);
});

test("a pass has statements enough, however many trials the search does not show", async () => {
  const w = await oddWorld();
  await delivered(200, { unconfirmed: JSON.stringify([{ slot: 0, token: "t", after: 0 }]) });
  const { db, meter } = metered(env.DB);
  const queues = {
    TRIALS: recordingQueue().queue,
    JOBS: recordingQueue().queue,
    FILES: recordingQueue().queue,
  };
  await confirmDelivered(wire({ ...env, ...queues, DB: db }, {}, w.mlflow.fetch));
  expect(meter.statements, meter.worst()).toBeLessThan(MAX_STATEMENTS / 4);
});

test("second runs that cannot be deleted do not keep others from theirs", async () => {
  const w = await oddWorld();
  const run = (id: string, nonce: string): Run => ({
    id,
    status: "RUNNING",
    tags: new Map([["relay.nonce", nonce]]),
    params: new Map(),
    points: new Set(),
  });
  for (const { key, nonce } of await delivered(50, { recheckAt: 1 }))
    w.mlflow.runs.push(run(key, nonce), run(`double ${nonce}`, nonce));
  const stuck = new Set(
    w.mlflow.runs
      .filter(({ id }) => id.startsWith("double"))
      .slice(0, 25)
      .map(({ id }) => id),
  );
  w.mlflow.odd = (called, { run_id }) => (called === "runs/delete" && stuck.has(run_id) ? FORBIDDEN : null);
  for (let pass = 0; pass < 4; pass++) {
    w.later(300_000);
    await deleteDoubles(w.deps);
  }
  const doubles = w.mlflow.runs.filter(({ id }) => id.startsWith("double")).map(({ id }) => id);
  expect(new Set(doubles)).toEqual(stuck);
});

test("a batch of which MLflow refuses every point is settled in turns of bounded work", async () => {
  const w = await oddWorld({ RELAY_PARENT_RUNS: "false" });
  const bad = Array.from({ length: 100 }, (_, step) => ({
    event: "ml.run.metric",
    metric_name: "bad",
    metric_value: 1,
    step,
  }));
  await w.say([...STUDY.slice(1, 2), ...bad, ...STUDY.slice(2, 4)]);
  w.mlflow.odd = (called, { metrics }) =>
    called === "runs/log-batch" && metrics.some(({ key }) => key === "bad") ? TOO_LONG : null;
  const id = (await w.streams()).find(({ kind }) => kind === "trial")?.id ?? 0;
  for (let turns = 0; turns < 100 && !(await w.streams()).every(({ done }) => done); turns++) {
    const before = w.mlflow.calls.length;
    await drive(w.deps, id);
    expect(w.mlflow.calls.length - before).toBeLessThanOrEqual(80);
    w.later(10_000);
  }
  expect((await w.letters()).length).toBe(100);
  expect(w.trialRun().map(({ points }) => points.size)).toEqual([2]);
}, 60_000);
