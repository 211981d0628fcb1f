import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { consume } from "../../src/relay/consume.ts";
import { behind, invoked, messageOf, pokesOf, study } from "./invocations.ts";
import { OddMlflow } from "./odd-mlflow.ts";
import { deliverSideBySide, watched } from "./side-by-side.ts";

/** Places among the callers, which the turns of an invocation hand on to each other while invocations are side by side. */

const TRIALS = 6;
const POINTS = 2_500;
const CALL_MS = 8;
/** Longer than another turn takes to get ready, however busy the machine is. */
const LONG_CALL_MS = 100;

test.each([
  { places: 1, invocations: 1, refused: 0 },
  { places: 1, invocations: 2, refused: 0 },
  { places: 2, invocations: 2, refused: 0 },
  { places: 1, invocations: 2, refused: 7 },
  { places: 3, invocations: 3, refused: 5 },
])(
  "calls are never more than $places, by $invocations invocations at once, where one in $refused is refused, and all arrives once",
  async ({ places, invocations, refused }) => {
    const name = `seats-${places}-${invocations}-${refused}`;
    const vars = { RELAY_MAX_CONCURRENT_CALLS: String(places) };
    const mlflow = new OddMlflow();
    await study(name, TRIALS, POINTS);
    const { seen, fetch } = watched(mlflow, CALL_MS, (call) => refused > 0 && call % refused === 3);
    await deliverSideBySide({ fetch }, name, { invocations, vars });
    const own = mlflow.runs.filter(({ tags }) => tags.has("thunderline_trial_id"));
    expect({ behind: await behind(name), points: own.map((run) => run.points.size) }).toEqual({
      behind: 0,
      points: Array.from({ length: TRIALS }, () => POINTS),
    });
    expect(seen.most).toBeLessThanOrEqual(places);
    const left = await env.DB.prepare("select count(calling_until) from streams").first(
      "count(calling_until)",
    );
    expect(left).toBe(0);
  },
  120_000,
);

test("where one may call at a time, the turns of an invocation take it by turns, call by call", async () => {
  const name = "seats-by-turns";
  const mlflow = new OddMlflow();
  await study(name, 4, POINTS);
  const { fetch } = watched(mlflow, LONG_CALL_MS);
  const { deps } = invoked({ fetch }, { vars: { RELAY_MAX_CONCURRENT_CALLS: "1" } });
  await consume(
    deps,
    (await pokesOf(name)).map((body, n) => messageOf(body, n)),
  );
  const batches = mlflow.calls.filter(
    ({ endpoint, asked }) => endpoint === "runs/log-batch" && asked.metrics.length > 1,
  );
  const handedOn = batches.filter(({ asked }, n) => n > 0 && asked.run_id !== batches[n - 1]?.asked.run_id);
  expect(batches.length).toBeGreaterThan(8);
  expect(handedOn.length).toBeGreaterThan(batches.length / 2);
});
