import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { consume } from "../../src/relay/consume.ts";
import { behind, invoked, messageOf, pokesOf, study } from "./invocations.ts";
import { OddMlflow } from "./odd-mlflow.ts";

/** One place, handed on while the database loses the statement that does it, or MLflow says what has to be looked into. */

const TRIALS = 4;
const POINTS = 2_500;
const CALL_MS = 60;
/** Longer than the database is asked again. */
const LONG_CALL_MS = 500;
const MAX_ROUNDS = 100;

/** Such a statement takes the place from the turn that had it. */
const HANDS_ON = /^update "streams" set "calling_until" = \? where .*"calling_until" is not null/;

/** The database, which loses the connection over some of the batches that hand a place on, by number. */
function losingHandedOn(isLost: (n: number) => boolean, when: "before" | "after") {
  let n = 0;
  const known = new WeakMap<D1PreparedStatement, { statement: D1PreparedStatement; sql: string }>();
  const wrapped = (statement: D1PreparedStatement, sql: string): D1PreparedStatement => {
    const outer = new Proxy(statement, {
      get(target, name) {
        if (name === "bind") return (...values: unknown[]) => wrapped(target.bind(...values), sql);
        const member: unknown = Reflect.get(target, name);
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
    known.set(outer, { statement, sql });
    return outer;
  };
  return new Proxy(env.DB, {
    get(target, name) {
      if (name === "prepare") return (sql: string) => wrapped(target.prepare(sql), sql);
      if (name === "batch")
        return async (statements: D1PreparedStatement[]) => {
          const parts = statements.map((one) => known.get(one) ?? { statement: one, sql: "" });
          const isIt = parts.some(({ sql }) => HANDS_ON.test(sql)) && isLost(n++);
          if (isIt && when === "before") throw new Error("D1_ERROR: Network connection lost.");
          const answer = await target.batch(parts.map(({ statement }) => statement));
          if (isIt) throw new Error("D1_ERROR: Network connection lost.");
          return answer;
        };
      const member: unknown = Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

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
  const seen = { underWay: 0, most: 0, batches: 0 };
  mlflow.odd = (endpoint) =>
    endpoint === "runs/log-batch" && refused(seen.batches++)
      ? { status: 401, body: '{"message":"sign in"}' }
      : null;
  const fetch = async (url: string, init: RequestInit): Promise<Response> => {
    // Reads of many runs at once are of no turn.
    if (url.endsWith("/runs/search")) return mlflow.fetch(url, init);
    seen.most = Math.max(seen.most, ++seen.underWay);
    try {
      await scheduler.wait(callMs);
      return await mlflow.fetch(url, init);
    } finally {
      seen.underWay--;
    }
  };
  let waiting = await pokesOf(name);
  for (let round = 0; round < MAX_ROUNDS && waiting.length > 0; round++) {
    const messages = waiting;
    waiting = [];
    await Promise.all(
      [0, 1].map(async (one) => {
        const vars = { RELAY_MAX_CONCURRENT_CALLS: "1" };
        const { deps, sent } = invoked({ fetch }, { vars, db: database() });
        const own = messages.filter((_, n) => n % 2 === one);
        const again = (n: number) => waiting.push(...own.slice(n, n + 1));
        await consume(
          deps,
          own.map((body, n) => messageOf(body, n, () => again(n))),
        );
        waiting.push(...sent.map(({ body }) => body));
      }),
    );
    await env.DB.prepare(
      "update streams set next_attempt_at = 0, lease_until = 0, calling_until = null",
    ).run();
  }
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
    const database = () => losingHandedOn(isLost, when);
    const found = await deliveredBy(`lost ${what}`, { callMs, database, refused: never });
    expect(found).toEqual({ most: 1, behind: 0 });
  },
  60_000,
);

test("what a failed call means is looked into by the place of its turn", async () => {
  const refused = (call: number) => call < 3;
  const found = await deliveredBy("refused", { database: () => env.DB, refused });
  expect(found).toEqual({ most: 1, behind: 0 });
}, 60_000);
