import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import type { Deps } from "../../src/relay/deps.ts";
import type { Trouble } from "./fake-mlflow.ts";
import { call, newRun } from "./gateway-api.ts";
import { gatewayWorld } from "./gateway-world.ts";
import { type Death, mortal } from "./mortal.ts";

/**
 * Whoever brings what MLflow's clients wrote to MLflow may die at any of its round trips to the database, and any answer
 * of MLflow may be lost. Whoever comes next brings it to the same end.
 */

const AT_ONCE = 4;
let count = 0;

/** What becomes of one of the calls of MLflow, counted from the first. */
type Cut = { nth: number; trouble: Trouble };

/** The course of an experiment with a run and one nested under it; each line is delivered before the next is said. */
function course(experiment_id: string, run_id: string, parent: string): (() => Promise<unknown>)[][] {
  const metric = (step: number) => () =>
    call("runs/log-metric", { run_id, key: "loss", value: step, timestamp: step, step });
  const say = (path: string, body: object) => () => call(path, body);
  return [
    [
      say("experiments/set-experiment-tag", { experiment_id, key: "a", value: "1" }),
      say("runs/log-batch", {
        run_id,
        params: [{ key: "lr", value: "0.1" }],
        tags: [{ key: "k", value: "A" }],
        metrics: [{ key: "loss", value: 1, timestamp: 1, step: 1 }],
      }),
    ],
    [
      say("experiments/set-experiment-tag", { experiment_id, key: "a", value: "2" }),
      say("runs/set-tag", { run_id, key: "k", value: "B" }),
      metric(2),
    ],
    [
      say("experiments/update", { experiment_id, new_name: `crash-${++count}-renamed` }),
      say("experiments/delete-experiment-tag", { experiment_id, key: "a" }),
      say("runs/delete-tag", { run_id, key: "k" }),
      say("runs/update", { run_id, status: "FINISHED", end_time: 9, run_name: "done" }),
      say("runs/delete", { run_id }),
    ],
    [
      say("experiments/delete", { experiment_id }),
      say("experiments/restore", { experiment_id }),
      metric(3),
      say("runs/update", { run_id, status: "RUNNING" }),
      say("runs/update", { run_id, status: "FAILED", end_time: 10 }),
      say("runs/update", { run_id: parent, status: "KILLED", end_time: 11 }),
    ],
    [say("experiments/delete", { experiment_id })],
  ];
}

async function brought(death: Death | null, cut: Cut | null = null) {
  const w = gatewayWorld();
  const experiment_id = await w.experiment(`crash-${++count}`);
  const parent = await newRun({ experiment_id, run_name: "parent" });
  const tags = [{ key: "mlflow.parentRunId", value: parent }];
  const run_id = await newRun({ experiment_id, run_name: "child", tags });
  let calls = 0;
  w.mlflow.trouble = () => (cut !== null && calls++ === cut.nth ? cut.trouble : null);
  const { db, state } = mortal(env.DB, death, async () => {});
  let deps: Deps = { ...w.mlflow.deps({ DB: db }), now: w.deps.now };
  let isDone = true;
  for (const line of course(experiment_id, run_id, parent)) {
    for (const say of line) await say();
    isDone = await w.deliver(async (turn) => {
      try {
        await turn(deps);
      } catch {
        deps = w.deps;
      }
      if (death !== null && state.trips > death.trip) deps = w.deps;
    });
  }
  const nameOf = (id: string | undefined) => (id === undefined ? undefined : w.mlflow.runs.get(id)?.name);
  const runs = [...w.mlflow.runs.values()].map((run) => ({
    name: run.name,
    status: run.status,
    endTime: run.endTime,
    lifecycle: run.lifecycle,
    params: [...run.params],
    tags: [...run.tags].filter(([key]) => key === "k"),
    above: nameOf(run.tags.get("mlflow.parentRunId")),
    points: run.metrics.map(({ step, value }) => `${step}: ${value}`).toSorted(),
  }));
  const [, ...experiments] = [...w.experiments.byId.values()];
  const left = await env.DB.prepare(
    `select count(*) as n from batches where stream_id in (
       select stream_id from gateway_runs where experiment_id = ?1)`,
  )
    .bind(experiment_id)
    .first("n");
  return {
    runs: runs.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    experiments: experiments.map(({ name, lifecycle, tags: own }) => ({
      isRenamed: name.endsWith("renamed"),
      lifecycle,
      tags: [...own],
    })),
    left,
    isDone,
    costs: { trips: state.trips, calls: w.mlflow.calls.length },
  };
}

type Brought = Awaited<ReturnType<typeof brought>>;

/** Has one after the other go wrong; each comes to the same end. */
async function atEach(n: number, untroubled: Brought, troubled: (nth: number) => Promise<Brought>) {
  const all = Array.from({ length: n }, (_, nth) => nth);
  for (let from = 0; from < all.length; from += AT_ONCE) {
    const some = all.slice(from, from + AT_ONCE);
    for (const [i, outcome] of (await Promise.all(some.map(troubled))).entries())
      expect({ nth: some[i], ...outcome, costs: {} }).toEqual({ nth: some[i], ...untroubled, costs: {} });
  }
}

test("an untroubled course ends as it was said", async () => {
  expect(await brought(null)).toMatchObject({
    isDone: true,
    left: 0,
    experiments: [{ isRenamed: true, lifecycle: "deleted", tags: [] }],
    runs: [
      { name: "done", status: "FAILED", endTime: 10, params: [["lr", "0.1"]], tags: [], above: "parent" },
      { name: "parent", status: "KILLED", endTime: 11, points: [] },
    ],
  });
});

/** One in three, by turns before it and after it. */
const STRIDE = 3;

test("an isolate that dies at a round trip to the database, wherever, loses and doubles nothing", async () => {
  const untroubled = await brought(null);
  await atEach(Math.floor(untroubled.costs.trips / STRIDE), untroubled, (n) =>
    brought({ trip: n * STRIDE, moment: n % 2 === 0 ? "before" : "after" }),
  );
});

test("any one call to MLflow may be refused, come late, be answered with an error though it was done, or not at all", async () => {
  const untroubled = await brought(null);
  const troubles = ["unanswered", "refused", "late", "unanswered", "errs"] as const;
  await atEach(untroubled.costs.calls, untroubled, (nth) =>
    brought(null, { nth, trouble: troubles[nth % troubles.length] ?? null }),
  );
});
