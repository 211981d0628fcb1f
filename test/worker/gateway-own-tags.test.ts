import { beforeEach, expect, test } from "vitest";
import { reconcile } from "../../src/relay/cron/pass.ts";
import { call, dataOf, newRun } from "./gateway-api.ts";
import { emptied, gatewayWorld } from "./gateway-world.ts";

/** The tags by which the relay knows its runs in MLflow, which a client copies to a run of its own, sets and takes away. */

beforeEach(emptied);

const LATER_MS = 3_600_000;
const log = (run_id: string, step: number) =>
  call("runs/log-metric", { run_id, key: "loss", value: 1, timestamp: 1, step });

test("are kept for the client, and not taken for the relay's own in MLflow", async () => {
  const w = gatewayWorld();
  const experiment_id = await w.experiment();
  const first = await newRun({ experiment_id, run_name: "first" });
  await log(first, 1);
  expect(await w.deliver()).toBe(true);
  const [there] = w.mlflow.runs.values();
  const copied = Object.fromEntries(there?.tags ?? []);
  const second = await newRun({
    experiment_id,
    run_name: "second",
    tags: Object.entries(copied).map(([key, value]) => ({ key, value })),
  });
  await call("runs/log-batch", { run_id: second, tags: [{ key: "relay.batch.1", value: "theirs" }] });
  expect(await w.deliver()).toBe(true);
  expect(await dataOf(second, "tags")).toMatchObject({ ...copied, "relay.batch.1": "theirs" });
  w.pass(LATER_MS);
  await reconcile(w.deps);
  expect([...w.mlflow.runs.values()].map(({ name, lifecycle }) => ({ name, lifecycle }))).toEqual([
    { name: "first", lifecycle: "active" },
    { name: "second", lifecycle: "active" },
  ]);
  expect([...w.runs().keys()]).toEqual([first, second]);

  await log(second, 1);
  expect(await w.deliver()).toBe(true);
  for (const key of ["relay.batch", "relay.nonce", "relay.run_id"])
    expect((await call("runs/delete-tag", { run_id: second, key })).status).toBe(200);
  expect(await w.deliver()).toBe(true);
  w.pass(LATER_MS);
  await reconcile(w.deps);
  expect(await w.deliver()).toBe(true);
  expect([...w.runs().keys()]).toEqual([first, second]);
  expect([...w.mlflow.runs.values()].map(({ metrics }) => metrics.length)).toEqual([1, 1]);
});
