import { env } from "cloudflare:workers";
import { beforeEach, expect, it } from "vitest";
import { flushTally } from "../../src/relay/deps.ts";
import { behindStreams } from "../../src/store/delivery/streams.ts";
import { call, dataOf, newRun, read, runOf } from "./gateway-api.ts";
import { emptied, gatewayWorld } from "./gateway-world.ts";

/** A run whose maker may never have heard of it: MLflow is to hear of those that are used, and of them alone. */

const QUARTER_MS = 900_000;

beforeEach(emptied);

const same = { run_name: "same", start_time: 5, tags: [{ key: "a", value: "1" }] };
const lifecycleOf = async (runId: string) => (await runOf(runId)).info.lifecycle_stage;
const log = (run_id: string, key: string) =>
  call("runs/log-metric", { run_id, key, value: 1, timestamp: 1, step: 1 });
const child = (experiment_id: string, parent: string) =>
  newRun({ experiment_id, tags: [{ key: "mlflow.parentRunId", value: parent }] });

async function ghostOf(w: ReturnType<typeof gatewayWorld>) {
  const experiment_id = await w.experiment();
  const ghost = await newRun({ ...same, experiment_id });
  const used = await newRun({ ...same, experiment_id });
  await log(used, "loss");
  await w.deliver();
  w.pass(QUARTER_MS);
  return { experiment_id, ghost, used, isDone: await w.deliver() };
}

it("is a ghost where the same was asked for again and that one is used: deleted here, counted, not in MLflow", async () => {
  const w = gatewayWorld();
  const { ghost, used, isDone } = await ghostOf(w);
  expect(isDone).toBe(true);
  expect([...w.runs().keys()]).toEqual([used]);
  expect([await lifecycleOf(ghost), await lifecycleOf(used)]).toEqual(["deleted", "active"]);
  await flushTally(w.deps);
  const counted = "select value from counters where name = 'relay_ghost_runs_total'";
  expect(await env.DB.prepare(counted).first("value")).toBe(1);
});

it("is two runs where both are used, and waits for nothing then", async () => {
  const w = gatewayWorld();
  const experiment_id = await w.experiment();
  const runs = [await newRun({ ...same, experiment_id }), await newRun({ ...same, experiment_id })];
  for (const run of runs) await log(run, "loss");
  expect(await w.deliver()).toBe(true);
  expect([...w.runs().keys()].toSorted()).toEqual(runs.toSorted());
});

it("goes to MLflow unused after a quarter of an hour where nobody asked for the same", async () => {
  const w = gatewayWorld();
  const experiment_id = await w.experiment();
  const run = await newRun({ ...same, experiment_id });
  expect(await w.deliver()).toBe(false);
  expect(w.mlflow.calls).not.toContain("runs/create");
  w.pass(QUARTER_MS);
  expect(await w.deliver()).toBe(true);
  expect([...w.runs().keys()]).toEqual([run]);
});

it("goes to MLflow with all that it was made with once a ghost is written to after all", async () => {
  const w = gatewayWorld();
  const { ghost } = await ghostOf(w);
  expect((await log(ghost, "late")).status).toBe(200);
  expect(await lifecycleOf(ghost)).toBe("active");
  expect(await w.deliver()).toBe(true);
  const [made, ...others] = w.runs().get(ghost) ?? [];
  expect(others).toEqual([]);
  expect([made?.name, made?.tags.get("a"), made?.metrics.map(({ key }) => key)]).toEqual([
    "same",
    "1",
    ["late"],
  ]);
});

it("stays a ghost where its experiment is deleted and restored, or it is looked at", async () => {
  const w = gatewayWorld();
  const { experiment_id, ghost, used } = await ghostOf(w);
  await call("experiments/delete", { experiment_id });
  await call("experiments/restore", { experiment_id });
  expect(await w.deliver()).toBe(true);
  expect([await lifecycleOf(ghost), await lifecycleOf(used)]).toEqual(["deleted", "active"]);
  expect([...w.runs().keys()]).toEqual([used]);
});

it("is used by whoever reads it by its id, or nests another under it", async () => {
  const w = gatewayWorld();
  const experiment_id = await w.experiment();
  const runs = [await newRun({ experiment_id }), await newRun({ experiment_id, start_time: 2 })];
  await read("runs/get", { run_id: runs[0] ?? "" });
  const nested = await child(experiment_id, runs[1] ?? "");
  await log(nested, "loss");
  expect(await w.deliver()).toBe(true);
  const made = w.runs();
  expect([...made.keys()].toSorted()).toEqual([...runs, nested].toSorted());
  const parent = [...w.mlflow.runs].find(([, { tags }]) => tags.get("relay.run_id") === runs[1])?.[0];
  expect(made.get(nested)?.[0]?.tags.get("mlflow.parentRunId")).toBe(parent);
  expect(await dataOf(nested, "tags")).toMatchObject({ "mlflow.parentRunId": runs[1] });
});

it("is brought before the run that is nested under it, also where it was taken for a ghost", async () => {
  const w = gatewayWorld();
  const { experiment_id, ghost } = await ghostOf(w);
  const nested = await child(experiment_id, ghost);
  await log(nested, "loss");
  expect(await w.deliver()).toBe(true);
  expect(await lifecycleOf(ghost)).toBe("active");
  const parent = [...w.mlflow.runs].find(([, { tags }]) => tags.get("relay.run_id") === ghost)?.[0];
  expect(w.runs().get(nested)?.[0]?.tags.get("mlflow.parentRunId")).toBe(parent);
});

it("has no other wait for it that is nested under it, once it was given up", async () => {
  const w = gatewayWorld();
  const experiment_id = await w.experiment();
  const parent = await newRun({ experiment_id });
  const nested = await child(experiment_id, parent);
  await log(nested, "loss");
  await env.DB.prepare("update streams set blocked_kind = 'forgotten', blocked_reason = 'x' where key = ?1")
    .bind(parent)
    .run();
  expect(await w.deliver()).toBe(true);
  expect([...w.runs().keys()]).toEqual([nested]);
});

it("is not made where it was deleted with its experiment before anybody used it, and is once that is restored", async () => {
  const w = gatewayWorld();
  const experiment_id = await w.experiment();
  await w.deliver();
  const run = await newRun({ ...same, experiment_id });
  await call("experiments/delete", { experiment_id });
  w.pass(QUARTER_MS);
  expect(await w.deliver()).toBe(true);
  expect(w.mlflow.calls).not.toContain("runs/create");
  expect([...w.experiments.byId.values()].at(-1)?.lifecycle).toBe("deleted");
  await call("experiments/restore", { experiment_id });
  expect(await w.deliver()).toBe(true);
  expect(
    w
      .runs()
      .get(run)
      ?.map(({ tags }) => tags.get("a")),
  ).toEqual(["1"]);
});

it("is looked at by the cron's next pass, though the message that somebody used it was lost", async () => {
  const w = gatewayWorld();
  const run = await newRun({ ...same, experiment_id: await w.experiment() });
  await w.deliver();
  await log(run, "loss");
  w.pass(60_000);
  const behind = await behindStreams(env.DB, w.deps.now(), { afterId: 0, limit: 10, deliver: "all" });
  expect(behind.map(({ dueInMs }) => dueInMs)).toEqual([0]);
});

it("is used while the breaker is open, and goes to MLflow as soon as it is closed", async () => {
  const w = gatewayWorld();
  const run = await newRun({ ...same, experiment_id: await w.experiment() });
  await w.deliver();
  const insert = `insert into breakers (server, state, failures, probe_at, updated_at)
    values ('http://mlflow.test', 'open', 5, ?1, 0)`;
  await env.DB.prepare(insert)
    .bind(w.deps.now() + QUARTER_MS)
    .run();
  await log(run, "loss");
  await w.turn(run);
  await env.DB.prepare("delete from breakers").run();
  await w.turn(run);
  expect([...w.runs().keys()]).toEqual([run]);
});
