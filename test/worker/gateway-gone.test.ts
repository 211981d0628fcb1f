import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { request } from "./api.ts";
import { call, newRun, read, runOf } from "./gateway-api.ts";
import { emptied, gatewayWorld } from "./gateway-world.ts";

/** Runs of MLflow's clients whose experiment was deleted in MLflow before anybody used them. */

beforeEach(emptied);

type World = ReturnType<typeof gatewayWorld>;

const log = (run_id: string, step = 1) =>
  call("runs/log-metric", { run_id, key: "loss", value: 1, timestamp: 1, step });

/** Two runs that were made before, and used after, their experiment was deleted there. */
async function deletedBeforeUse(vars: Record<string, string> = {}) {
  const w = gatewayWorld(vars);
  const experiment_id = await w.experiment();
  await log(await newRun({ experiment_id }));
  expect(await w.deliver()).toBe(true);
  const [run_id, other] = [await newRun({ experiment_id }), await newRun({ experiment_id })];
  const id = [...w.experiments.byId.keys()].at(-1) ?? "";
  w.experiments.setLifecycle(id, "deleted");
  for (const run of [run_id, other]) expect((await log(run)).status).toBe(200);
  await w.deliver();
  return { w, experiment_id, id, run_id, other };
}

const kindOf = (run_id: string) =>
  env.DB.prepare("select blocked_kind from streams where key = ?1").bind(run_id).first("blocked_kind");

async function expectThere(w: World, experiment_id: string, runs: readonly string[]): Promise<void> {
  expect(await w.deliver()).toBe(true);
  for (const run of runs) {
    expect(await kindOf(run)).toBeNull();
    expect(
      w
        .runs()
        .get(run)
        ?.map(({ lifecycle, metrics }) => [lifecycle, metrics.length]),
    ).toEqual([["active", 1]]);
    expect((await runOf(run)).info.lifecycle_stage).toBe("active");
  }
  const { body } = await read("experiments/get", { experiment_id });
  expect(body.experiment.lifecycle_stage).toBe("active");
}

describe("by the policy to leave a deleted experiment so they are blocked, as trials are, and go on", () => {
  it.each(["restore", "recreate"])(
    "once an operator says %s, which brings back their experiment and no other",
    async (action) => {
      const { w, experiment_id, id, run_id, other } = await deletedBeforeUse();
      expect([await kindOf(run_id), await kindOf(other)]).toEqual(["gone_experiment", "gone_experiment"]);
      const restoring = {
        change: "restore_experiment",
        experiment_id: id,
        name: w.experiments.byId.get(id)?.name,
        also_frees: 1,
      };
      const vars = { MLFLOW_TRACKING_URI: "http://mlflow.test" };
      const { status, body } = await request(`/api/ops/trials/${run_id}/unblock`, {
        method: "POST",
        body: JSON.stringify({ action, dry_run: true }),
        bindings: { ...vars, MLFLOW_VPC: w.mlflow },
      });
      expect([status, body]).toMatchObject([200, { changes: expect.arrayContaining([restoring]) }]);
      await request(`/api/ops/trials/${run_id}/unblock`, {
        method: "POST",
        body: JSON.stringify({ action }),
        bindings: { ...vars, MLFLOW_VPC: w.mlflow },
      });
      await expectThere(w, experiment_id, [run_id, other]);
    },
  );

  it("once the experiment is restored in MLflow, with the cron's next pass", async () => {
    const { w, experiment_id, id, run_id, other } = await deletedBeforeUse();
    w.experiments.setLifecycle(id, "active");
    await w.cron();
    await expectThere(w, experiment_id, [run_id, other]);
  });

  it("once a client restores it", async () => {
    const { w, experiment_id, run_id, other } = await deletedBeforeUse();
    expect((await call("experiments/restore", { experiment_id })).status).toBe(200);
    await expectThere(w, experiment_id, [run_id, other]);
  });
});

it("by the policy to restore it they are in it at once", async () => {
  const { w, experiment_id, run_id, other } = await deletedBeforeUse({ RELAY_DELETED_EXPERIMENT: "restore" });
  await expectThere(w, experiment_id, [run_id, other]);
});
