import { env } from "cloudflare:workers";
import { beforeEach, expect, test } from "vitest";
import { deliverExperiment } from "../../src/relay/delivery/deliver-experiment.ts";
import { deliverModel } from "../../src/relay/delivery/deliver-model.ts";
import { wire } from "../../src/wire.ts";
import { endless } from "./endless.ts";
import { send } from "./gateway-models-api.ts";
import { emptied, gatewayWorld } from "./gateway-world.ts";

/** How long experiments and logged models leave a server alone that asks for it. */

beforeEach(emptied);

const MOST_MS = 120_000;

/** The relay, on an MLflow that asks to be left alone for so long. */
const askedFor = (seconds: string) =>
  endless(
    wire(
      env,
      {},
      async () => new Response("Slow down", { status: 429, headers: { "retry-after": seconds } }),
    ),
  );
const waitOf = async (table: "gateway_experiments" | "gateway_models", id: string) => {
  const query = `select next_attempt_at as at from ${table} where id = ?1`;
  return ((await env.DB.prepare(query).bind(id).first<number>("at")) ?? 0) - Date.now();
};

test.each([
  ["a minute and a half", "90", 85_000],
  ["a day", "86400", MOST_MS - 5_000],
])("a server that asks for %s is given as much of it as makes sense", async (_, seconds, leastMs) => {
  const w = gatewayWorld();
  const asked = askedFor(seconds);
  const experiment_id = await w.experiment(`slowly ${seconds}`);
  await deliverExperiment(asked, experiment_id);
  const experimentWaits = await waitOf("gateway_experiments", experiment_id);
  expect(await w.deliver()).toBe(true);
  const { body } = await send("POST", "logged-models", { experiment_id, name: "m" });
  const { model_id } = body.model.info;
  await send("PATCH", `logged-models/${model_id}`, { model_id, status: "LOGGED_MODEL_READY" });
  await deliverModel(asked, model_id);
  for (const waitMs of [experimentWaits, await waitOf("gateway_models", model_id)]) {
    expect(waitMs).toBeGreaterThanOrEqual(leastMs);
    expect(waitMs).toBeLessThanOrEqual(MOST_MS);
  }
});
