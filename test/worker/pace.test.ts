import { env } from "cloudflare:workers";
import { beforeEach, expect, it } from "vitest";
import { wire } from "../../src/wire.ts";
import { metered } from "./metered.ts";

/** Where calls a second are bounded, each has its place in a row that all isolates share; taking it costs a statement. */

const RUN = "a".repeat(32);

/** An invocation's effects over an MLflow that answers at once, and what it asks of the database. */
function invocation(callsPerSecond: number) {
  const { db, meter } = metered(env.DB);
  const vars = { DB: db, RELAY_MAX_CALLS_PER_SECOND: String(callsPerSecond) };
  const deps = wire({ ...env, ...vars }, {}, async () => Response.json({ metrics: [] }));
  return { meter, call: () => deps.mlflow.getMetricHistory({ runId: RUN, key: "loss" }) };
}

const reached = async () =>
  (await env.DB.prepare("select next_call_at from breakers").first<number>("next_call_at")) ?? 0;

beforeEach(async () => {
  await env.DB.prepare("delete from breakers").run();
});

it.each([
  ["one after the other", 1],
  ["six at once", 6],
])("many calls, %s, take few statements and a place each", async (_, atOnce) => {
  const [calls, perSecond] = [300, 500];
  const { meter, call } = invocation(perSecond);
  const begun = Date.now();
  let left = calls;
  const caller = async () => {
    while (left-- > 0) expect(await call()).toMatchObject({ ok: true });
  };
  await Promise.all(Array.from({ length: atOnce }, caller));
  expect(await reached()).toBeGreaterThanOrEqual(begun + (calls * 1000) / perSecond);
  expect(meter.statements, meter.worst()).toBeLessThan(calls / 2);
});

it("invocations at once stand in one row", async () => {
  const begun = Date.now();
  await Promise.all(Array.from({ length: 5 }, () => invocation(10).call()));
  expect(await reached()).toBeGreaterThanOrEqual(begun + 500);
});

it("places are not taken for longer than a second, however often somebody calls", async () => {
  const { call } = invocation(2);
  for (let n = 0; n < 4; n++) await call();
  expect((await reached()) - Date.now()).toBeLessThanOrEqual(1_000);
});
