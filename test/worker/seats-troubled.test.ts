import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { behind, study } from "./invocations.ts";
import { losing } from "./losing.ts";
import { OddMlflow } from "./odd-mlflow.ts";
import { deliverSideBySide, watched } from "./side-by-side.ts";

/** One place, handed on while the database loses the statement that does it, or MLflow says what has to be looked into. */

const TRIALS = 4;
const POINTS = 2_500;
const CALL_MS = 60;
/** Longer than the database is asked again. */
const LONG_CALL_MS = 500;

/** Such a statement takes the place from the turn that had it. */
const HANDS_ON = /^update "streams" set "calling_until" = \S+ where .*"calling_until" is not null/;

/** Delivers a study by two invocations at once, by one place; the most calls that were under way at once. */
async function deliveredBy(
  name: string,
  {
    callMs = CALL_MS,
    database,
    refused,
  }: { callMs?: number; database: () => D1Database; refused: (call: number) => boolean },
) {
  const mlflow = new OddMlflow();
  await study(name, TRIALS, POINTS);
  let batches = 0;
  mlflow.odd = (endpoint) =>
    endpoint === "runs/log-batch" && refused(batches++)
      ? { status: 401, body: '{"message":"sign in"}' }
      : null;
  const { seen, fetch } = watched(mlflow, callMs);
  await deliverSideBySide({ fetch }, name, {
    invocations: 2,
    vars: { RELAY_MAX_CONCURRENT_CALLS: "1" },
    database,
    passes: "next_attempt_at = 0, lease_until = 0, calling_until = null",
  });
  return { most: seen.most, behind: await behind(name) };
}

const never = () => false;

test.each([
  {
    what: "before it took effect, and repeats it",
    when: "before" as const,
    isLost: (n: number) => n % 2 === 0,
  },
  {
    what: "after it took effect, and repeats it",
    when: "after" as const,
    isLost: (n: number) => n % 2 === 0,
  },
  {
    what: "after it took effect, for good",
    when: "after" as const,
    isLost: (n: number) => n % 5 < 3,
    callMs: LONG_CALL_MS,
  },
])(
  "calls are never more than the places where the database loses a statement that hands one on, $what",
  async ({ what, when, isLost, callMs = CALL_MS }) => {
    const lossy: ReturnType<typeof losing>[] = [];
    const database = () => {
      const one = losing({ isLost, when, among: HANDS_ON });
      lossy.push(one);
      return one.db;
    };
    const found = await deliveredBy(`lost ${what}`, { callMs, database, refused: never });
    expect(found).toEqual({ most: 1, behind: 0 });
    // The statement is known by its words: were they others, nothing would be lost.
    expect(lossy.some(({ losses }) => losses() > 0)).toBe(true);
  },
  60_000,
);

test("what a failed call means is looked into by the place of its turn", async () => {
  const refused = (call: number) => call < 3;
  const found = await deliveredBy("refused", { database: () => env.DB, refused });
  expect(found).toEqual({ most: 1, behind: 0 });
}, 60_000);
