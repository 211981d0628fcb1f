import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { drive } from "../../src/relay/delivery/drive.ts";
import type { Deps } from "../../src/relay/deps.ts";
import { pullRunning } from "../../src/relay/follow/running.ts";
import { renameExperiment } from "../../src/relay/repair/rename.ts";
import { unblock } from "../../src/relay/repair/unblock.ts";
import { post } from "./api.ts";
import { FakeExperiment, FakeExperiments } from "./fake-experiments.ts";
import { FakeMlflow } from "./fake-mlflow.ts";
import { call, newRun, read } from "./gateway-api.ts";
import { gatewayWorld } from "./gateway-world.ts";
import { start } from "./payloads.ts";

/** Has a trial of an experiment go to MLflow, in so many turns; how it stands then. */
async function delivered(deps: Deps, trialId: string, experiment_name?: string, turns = 1, more = {}) {
  await post(start(trialId, { experiment_name, ...more }));
  const row = () =>
    env.DB.prepare(
      `select id, mlflow_run_id as run, mlflow_experiment_id as experiment, blocked_kind as blocked
       from streams where trial_id = ?1`,
    )
      .bind(trialId)
      .first<{ id: number; run: string | null; experiment: string | null; blocked: string | null }>();
  const id = (await row())?.id ?? -1;
  for (let turn = 0; turn < turns; turn++) {
    await env.DB.prepare("update streams set next_attempt_at = 0 where id = ?1").bind(id).run();
    await drive(deps, id);
  }
  return row();
}

it("an experiment that was renamed and then deleted in MLflow is not made anew for who asks for its old name", async () => {
  const experiments = new FakeExperiments();
  const deps = new FakeMlflow({ experiments }).deps({
    RELAY_ANNOUNCE_GRACE_SECONDS: "0",
    RELAY_PARENT_RUNS: "false",
  });
  const before = await delivered(deps, "before", "series");
  const id = before?.experiment ?? "";
  expect(await renameExperiment(deps, id, "series, renamed")).toEqual({ kind: "renamed" });
  expect(await delivered(deps, "renamed", "series")).toMatchObject({ experiment: id, blocked: null });
  experiments.setLifecycle(id, "deleted");
  const deleted = await delivered(deps, "deleted", "series", 3);
  expect(deleted).toMatchObject({
    run: null,
    blocked: "gone_experiment",
  });
  expect([...experiments.byId.keys()]).toEqual(["0", id]);

  const restored = await unblock(deps, deleted?.id ?? -1, "restore", false);
  expect(restored).toMatchObject({ changes: [{ change: "restore_experiment", experiment_id: id }, {}] });
  expect(await delivered(deps, "deleted", "series")).toMatchObject({ experiment: id, blocked: null });
});

it("an id that MLflow gave anew after it was set back is not the relay's experiment of before", async () => {
  const experiments = new FakeExperiments();
  const mlflow = new FakeMlflow({ experiments });
  const deps = mlflow.deps({ RELAY_ANNOUNCE_GRACE_SECONDS: "0", RELAY_PARENT_RUNS: "false" });
  const before = await delivered(deps, "before it", "lost");
  const id = before?.experiment ?? "";
  mlflow.runs.clear();
  experiments.byId.set(id, new FakeExperiment("somebody's"));
  const pull = () => pullRunning(deps, { afterId: 0, maxRuns: 100, maxMs: 10_000 });
  mlflow.trouble = (endpoint) => (endpoint === "experiments/get" ? "errs" : null);
  await pull();
  mlflow.trouble = () => null;
  await pull();
  const since = await delivered(deps, "since then", "lost", 2);
  expect(experiments.byId.get(since?.experiment ?? "")?.name).toBe("lost");
  const [blocked] = [await delivered(deps, "before it", "lost", 12, { tags: { a: "1" } })];
  expect(blocked?.blocked).toBe("gone_run");
  await unblock(deps, blocked?.id ?? -1, "recreate", false);
  const again = await delivered(deps, "before it", "lost", 1, { tags: { a: "2" } });
  expect(again).toMatchObject({ blocked: null, experiment: since?.experiment });
});

it("nor is it that of a model run whose own run was lost with it, for the trials that are to be under it", async () => {
  const experiments = new FakeExperiments();
  const mlflow = new FakeMlflow({ experiments });
  const deps = mlflow.deps({ RELAY_ANNOUNCE_GRACE_SECONDS: "0" });
  const model_run_id = "study";
  const announced = { event: "ml.run.start", model_run_id, requested_trials: 2, search_space_version: 1 };
  await post({ ...announced, experiment_name: "nested" });
  const before = await delivered(deps, "first of it", undefined, 1, { model_run_id });
  mlflow.runs.clear();
  experiments.byId.set(before?.experiment ?? "", new FakeExperiment("somebody's"));
  await pullRunning(deps, { afterId: 0, maxRuns: 100, maxMs: 10_000 });
  const since = await delivered(deps, "second of it", undefined, 1, { model_run_id });
  expect(experiments.byId.get(since?.experiment ?? "")?.name).toBe("nested");
});

it("nor is it that of MLflow's clients, whose experiment is made anew", async () => {
  const w = gatewayWorld({ RELAY_ANNOUNCE_GRACE_SECONDS: "0" });
  const experiment_id = await w.experiment("clients' own");
  const log = async () => {
    const run_id = await newRun({ experiment_id });
    await call("runs/log-metric", { run_id, key: "loss", value: 1, timestamp: 1, step: 0 });
    return run_id;
  };
  await log();
  await w.deliver();
  const [id] = w.experiments.named("clients' own") ?? [""];
  w.mlflow.runs.clear();
  w.experiments.byId.set(id, new FakeExperiment("somebody's"));
  await pullRunning(w.deps, { afterId: 0, maxRuns: 100, maxMs: 10_000 });
  const since = await log();
  await w.deliver();
  expect((await read("experiments/get", { experiment_id })).body.experiment.name).toBe("clients' own");
  const [run] = w.runs().get(since) ?? [];
  expect(w.experiments.byId.get(run?.experimentId ?? "")?.name).toBe("clients' own");
  expect(w.experiments.byId.get(id)?.name).toBe("somebody's");
});
