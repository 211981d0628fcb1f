import { env } from "cloudflare:workers";
import { beforeEach, expect, test } from "vitest";
import { idOf, post } from "./api.ts";
import { emptied, gatewayWorld } from "./gateway-world.ts";

/** A run that was made for one trial, without anybody hearing its id, and that another trial names as its own. */

beforeEach(emptied);

const start = (trial_id: string, more: object = {}) =>
  post({ event: "ml.trial.start", model_run_id: "unheard", trial_id, spectral_norm: false, ...more });

test("is the other's from then on, and the first has one made anew", async () => {
  const w = gatewayWorld({ RELAY_ANNOUNCE_GRACE_SECONDS: "0", RELAY_PARENT_RUNS: "false" });
  await start("first");
  const first = await idOf("first");
  w.mlflow.trouble = (endpoint) => (endpoint === "runs/create" ? "unanswered" : null);
  await w.turn(first);
  w.mlflow.trouble = () => null;
  const [named = ""] = w.mlflow.runs.keys();
  await start("second", { mlflow_run_id: named });
  const second = await idOf("second");
  await w.turn(second);
  for (let n = 0; n < 3; n++) {
    await env.DB.prepare(
      "update streams set lease_until = 0, next_attempt_at = 0, fence_until = iif(fence_until is null, null, 0)",
    ).run();
    await w.turn(first);
  }
  const { results } = await env.DB.prepare(
    "select trial_id as trial, mlflow_run_id as run, blocked_reason as blocked, delivered_seq = last_seq as done from streams where kind = 'trial' order by trial_id",
  ).all();
  expect(w.mlflow.runs.size).toBe(2);
  const [, anew] = w.mlflow.runs.keys();
  expect(results).toEqual([
    { trial: "first", run: anew, blocked: null, done: 1 },
    { trial: "second", run: named, blocked: null, done: 1 },
  ]);
  const { results: conflicts } = await env.DB.prepare("select kind, refused from conflicts").all();
  expect(conflicts).toEqual([{ kind: "run_id", refused: named }]);
  const nonces = new Set([...w.mlflow.runs.values()].map(({ tags }) => tags.get("relay.nonce")));
  expect(nonces.size).toBe(2);
});
