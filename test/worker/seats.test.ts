import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { consume } from "../../src/relay/consume.ts";
import { behind, invoked, messageOf, pokesOf, study } from "./invocations.ts";
import { OddMlflow } from "./odd-mlflow.ts";

/** Places among the callers, which the turns of an invocation hand on to each other while invocations are side by side. */

const TRIALS = 6;
const POINTS = 2_500;
const CALL_MS = 8;
/** Longer than another turn takes to get ready, however busy the machine is. */
const LONG_CALL_MS = 100;
const MAX_ROUNDS = 200;

/** What delivers to it is counted while it is at it; `isRefused` tells which calls are not taken. */
function watched(mlflow: OddMlflow, isRefused: (call: number) => boolean, callMs = CALL_MS) {
  const seen = { underWay: 0, most: 0, calls: 0 };
  /** Reads of many runs at once are of no turn. */
  const isCounted = (url: string) => !url.endsWith("/search");
  const fetch = async (url: string, init: RequestInit): Promise<Response> => {
    if (!isCounted(url)) return mlflow.fetch(url, init);
    seen.most = Math.max(seen.most, ++seen.underWay);
    try {
      await scheduler.wait(callMs);
      if (isRefused(seen.calls++)) return new Response("busy", { status: 429 });
      return await mlflow.fetch(url, init);
    } finally {
      seen.underWay--;
    }
  };
  return { seen, fetch };
}

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
    const { seen, fetch } = watched(mlflow, (call) => refused > 0 && call % refused === 3);
    let waiting = await pokesOf(name);
    for (let round = 0; round < MAX_ROUNDS && waiting.length > 0; round++) {
      const messages = waiting;
      waiting = [];
      await Promise.all(
        Array.from({ length: invocations }, async (_, one) => {
          const { deps, sent } = invoked({ fetch }, { vars });
          const own = messages.filter((_, n) => n % invocations === one);
          const again = (n: number) => waiting.push(...own.slice(n, n + 1));
          await consume(
            deps,
            own.map((body, n) => messageOf(body, n, () => again(n))),
          );
          waiting.push(...sent.map(({ body }) => body));
        }),
      );
      await env.DB.prepare("update streams set next_attempt_at = 0").run();
    }
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
  const trials = 4;
  await study(name, trials, POINTS);
  const { fetch } = watched(mlflow, () => false, LONG_CALL_MS);
  const { deps } = invoked({ fetch }, { vars: { RELAY_MAX_CONCURRENT_CALLS: "1" } });
  await consume(
    deps,
    (await pokesOf(name)).map((body, n) => messageOf(body, n)),
  );
  const batches = mlflow.calls.filter(
    ({ endpoint, asked }) => endpoint === "runs/log-batch" && asked.metrics.length > 1,
  );
  const handedOn = batches.filter(({ asked }, n) => n > 0 && asked.run_id !== batches[n - 1]?.asked.run_id);
  expect(handedOn.length).toBeGreaterThan(trials - 1);
});
