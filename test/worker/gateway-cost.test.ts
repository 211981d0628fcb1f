import { env } from "cloudflare:workers";
import { beforeEach, expect, test } from "vitest";
import { call, newRun } from "./gateway-api.ts";
import { emptied, gatewayWorld } from "./gateway-world.ts";
import { metered } from "./metered.ts";

/** What a request of an MLflow client costs, and bringing it to MLflow: round trips to the database, and rows written. */

beforeEach(emptied);

const { db, meter } = metered(env.DB);
const how = { bindings: { DB: db } };

async function costOf(work: () => Promise<unknown>) {
  const [trips, rows] = [meter.roundTrips, meter.rowsWritten];
  await work();
  return { roundTrips: meter.roundTrips - trips, rowsWritten: meter.rowsWritten - rows };
}

function expectWithin(cost: { roundTrips: number; rowsWritten: number }, most: typeof cost): void {
  expect(cost.roundTrips).toBeLessThanOrEqual(most.roundTrips);
  expect(cost.rowsWritten).toBeLessThanOrEqual(most.rowsWritten);
}

const metric = (step: number, key = "loss") => ({ key, value: step, timestamp: step, step });

/** A run that MLflow has, and what a turn with it costs. */
async function world() {
  const w = gatewayWorld();
  const experiment_id = await w.experiment();
  const run_id = await newRun({ experiment_id });
  const counted = { ...w.mlflow.deps({ DB: db }), now: w.deps.now };
  await call("runs/log-metric", { run_id, ...metric(1) }, how);
  return { w, experiment_id, run_id, turn: () => costOf(() => w.turn(run_id, counted)) };
}

test("a run that is made, and its first write", async () => {
  const { experiment_id } = await world();
  let run_id = "";
  expectWithin(
    await costOf(async () => {
      run_id = (await call("runs/create", { experiment_id, start_time: 2 }, how)).body.run.info.run_id;
    }),
    { roundTrips: 2, rowsWritten: 21 },
  );
  expectWithin(await costOf(() => call("runs/log-metric", { run_id, ...metric(1) }, how)), {
    roundTrips: 2,
    rowsWritten: 9,
  });
});

test("a metric, and ten of them together", async () => {
  const { run_id } = await world();
  expectWithin(await costOf(() => call("runs/log-metric", { run_id, ...metric(2) }, how)), {
    roundTrips: 1,
    rowsWritten: 7,
  });
  const metrics = Array.from({ length: 10 }, (_, n) => metric(3, `m${n}`));
  expectWithin(await costOf(() => call("runs/log-batch", { run_id, metrics }, how)), {
    roundTrips: 1,
    rowsWritten: 25,
  });
});

test("a first turn, which makes the experiment and the run, and one that brings a metric", async () => {
  const { run_id, turn } = await world();
  expectWithin(await turn(), { roundTrips: 17, rowsWritten: 36 });
  await call("runs/log-metric", { run_id, ...metric(2) });
  expectWithin(await turn(), { roundTrips: 5, rowsWritten: 8 });
});
