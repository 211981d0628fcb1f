import { expect, test } from "vitest";
import { drive } from "../../src/relay/delivery/drive.ts";
import type { Deps } from "../../src/relay/deps.ts";
import { call, newRun } from "./gateway-api.ts";
import { gatewayWorld } from "./gateway-world.ts";

/** A search folds whatever it looks at, also a stream that a turn has in hand: what it folded is not taken for sent. */

test("what a client writes and a search folds while its run is restored in MLflow arrives, and the run stays restored", async () => {
  const w = gatewayWorld();
  const experiment_id = await w.experiment();
  const run_id = await newRun({ experiment_id, run_name: "r" });
  const metric = (step: number) =>
    call("runs/log-metric", { run_id, key: "loss", value: step, timestamp: step, step });
  await metric(1);
  expect(await w.deliver()).toBe(true);
  const told = async (path: string) => expect((await call(path, { run_id })).status).toBe(200);
  await told("runs/delete");
  expect(await w.deliver()).toBe(true);

  await told("runs/restore");
  await metric(2);
  await told("runs/delete");
  w.mlflow.trouble = (endpoint) => (endpoint === "runs/delete" ? "refused" : null);
  await w.turn(run_id);
  w.mlflow.trouble = () => null;

  let isMeanwhile = false;
  const { direct } = w.deps;
  const restoreRun: typeof direct.restoreRun = async (id) => {
    isMeanwhile = true;
    await told("runs/restore");
    await metric(3);
    const found = await call("runs/search", { experiment_ids: [experiment_id] });
    expect(found.body.runs).toHaveLength(1);
    return direct.restoreRun(id);
  };
  await w.later();
  const slow: Deps = { ...w.deps, direct: { ...direct, restoreRun } };
  await drive(slow, await w.streamOf(run_id));
  expect(isMeanwhile).toBe(true);
  expect(await w.deliver()).toBe(true);
  const [run] = w.runs().get(run_id) ?? [];
  expect([run?.metrics.map(({ step }) => step).toSorted(), run?.lifecycle]).toEqual([[1, 2, 3], "active"]);
});
