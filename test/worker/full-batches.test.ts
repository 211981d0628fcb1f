import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { drive } from "../../src/relay/delivery/drive.ts";
import { post } from "./api.ts";
import { FakeMlflow } from "./fake-mlflow.ts";
import { metric, start } from "./payloads.ts";

/** A backlog goes to MLflow in as few calls as its limits allow, whatever a trial begins with. */

const MAX_ITEMS = 1_000;

it.each([
  { name: "one metric a step, and a bare start", keys: 1, steps: 6_000, params: 0 },
  { name: "five metrics a step", keys: 5, steps: 2_000, params: 20 },
  { name: "seven metrics a step, and much to begin with", keys: 7, steps: 1_000, params: 90 },
])("$name", async ({ name, keys, steps, params }) => {
  const named = (n: number, what: string) =>
    Object.fromEntries(Array.from({ length: n }, (_, i) => [`${what}${i}`, i]));
  const metrics = Array.from({ length: steps }, (_, step) =>
    metric(name, { step, metrics: named(keys, "m") }),
  );
  await post([start(name, { parameters: named(params, "p") })]);
  for (let i = 0; i < steps; i += 1_000) await post(metrics.slice(i, i + 1_000));
  const id = await env.DB.prepare("select id from streams where trial_id = ?1")
    .bind(name)
    .first<number>("id");
  const mlflow = new FakeMlflow();
  const deps = mlflow.deps({ RELAY_ANNOUNCE_GRACE_SECONDS: "0", RELAY_PARENT_RUNS: "false" });
  for (let turn = 0; turn < 5; turn++) await drive(deps, id ?? 0);
  expect([...mlflow.runs.values()].map((run) => run.metrics.length)).toEqual([keys * steps]);
  const [run] = mlflow.runs.values();
  const items = keys * steps + params + (run?.tags.size ?? 0);
  const calls = mlflow.calls.filter((endpoint) => endpoint === "runs/log-batch").length;
  expect(calls).toBe(Math.ceil(items / (MAX_ITEMS - 1)));
});
