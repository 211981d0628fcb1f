import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { consume } from "../../src/relay/consume.ts";
import { reconcile } from "../../src/relay/cron/pass.ts";
import { drive } from "../../src/relay/delivery/drive.ts";
import { ENDING_STATEMENTS, isOutOfStatements } from "../../src/store/database/budget.ts";
import { ending } from "../../src/store/database/counted.ts";
import { invocation } from "./endless.ts";
import { behind, deliverAll, invoked, messageOf, pokesOf, study } from "./invocations.ts";
import { losing } from "./losing.ts";
import { OddMlflow } from "./odd-mlflow.ts";

/** What an invocation may take is enforced here, and everything arrives all the same. */

test.each([
  { what: "many streams, a hundred to a batch", name: "many", trials: 120, points: 2, batchSize: 100 },
  { what: "few streams with much to say", name: "huge", trials: 4, points: 4_000, batchSize: 12 },
  {
    what: "many streams, call by call",
    name: "paced",
    trials: 60,
    points: 2,
    batchSize: 100,
    perSecond: 200,
  },
])(
  "$what: no invocation passes a limit, nothing is retried, everything arrives",
  async (given) => {
    const { name, trials, points, batchSize, perSecond = 0 } = given;
    const vars = { RELAY_MAX_CALLS_PER_SECOND: String(perSecond) };
    const mlflow = new OddMlflow();
    await study(name, trials, points);
    const { retried, most, left } = await deliverAll(mlflow, await pokesOf(name), batchSize, { vars });
    expect({ retried, left, behind: await behind(name) }).toEqual({ retried: 0, left: 0, behind: 0 });
    expect(most).toBeLessThanOrEqual(1_000);
    const own = mlflow.runs.filter(({ tags }) => tags.has("thunderline_trial_id"));
    expect(own.map((run) => run.points.size)).toEqual(Array.from({ length: trials }, () => points));
  },
  240_000,
);

test("what an invocation has no statements left for is given to others while the last of its own is still under way", async () => {
  const name = "overlapping";
  const mlflow = new OddMlflow();
  await study(name, 60, 2);
  const pokes = await pokesOf(name);
  let isHeld = false;
  let isLeft = false;
  const { deps, sent } = invoked({
    fetch: async (url, init) => {
      if (!isHeld && !deps.budget.has(130)) {
        isHeld = true;
        const isGiven = () => sent.some(({ body }) => body === pokes.at(-1));
        for (let n = 0; n < 500 && !isGiven(); n++) await scheduler.wait(10);
        isLeft = isGiven();
      }
      return mlflow.fetch(url, init);
    },
  });
  await consume(
    deps,
    pokes.map((body, n) => messageOf(body, n)),
  );
  expect({ isHeld, isLeft }).toEqual({ isHeld: true, isLeft: true });
}, 60_000);

test("a pass with everything due at once stays within an invocation, and its report is stored", async () => {
  const rows = Array.from({ length: 400 }, (_, n) => `due-${n}`);
  await env.DB.prepare(
    `insert into streams (key, kind, trial_id, created_at, updated_at, last_seq, folded_seq, planned_seq, delivered_seq,
       delivered_at, mlflow_experiment_id, mlflow_run_id, create_nonce, unconfirmed, recheck_at)
     select value, 'trial', value, 1, 1, 1, 1, 1, 1, 1, '1', value, 'n.' || value, ?2, 1 from json_each(?1)`,
  )
    .bind(JSON.stringify(rows), JSON.stringify([{ slot: 0, token: "t", after: 0 }]))
    .run();
  await env.DB.prepare(
    "insert into watches (name, created_at) select 'watched ' || value, 1 from json_each(?1)",
  )
    .bind(JSON.stringify(rows.slice(0, 200)))
    .run();
  const { taken, deps } = invoked(new OddMlflow());
  const report = await reconcile(deps);
  expect(taken.statements).toBeLessThanOrEqual(1_000);
  expect(report).toMatchObject({ error: null });
  expect(await env.DB.prepare("select count(*) as n from cron_passes").first("n")).toBe(1);
  expect(await env.DB.prepare("select count(*) as n from locks").first("n")).toBe(0);
});

test("who never asks for room is stopped before the platform does it, and what was begun can still be ended", async () => {
  const { taken, deps } = invoked(new OddMlflow());
  const ask = (db: D1Database) => db.prepare("select 1").run();
  const askOn = async () => {
    for (let n = 0; n < 2_000; n++) await ask(deps.db);
  };
  const stopped = await askOn().catch((error: unknown) => error);
  expect(isOutOfStatements(stopped), String(stopped)).toBe(true);
  for (let n = 0; n < ENDING_STATEMENTS; n++) await ask(ending(deps.db));
  const beyond = await ask(ending(deps.db)).catch((error: unknown) => error);
  expect(isOutOfStatements(beyond), String(beyond)).toBe(true);
  expect(taken.statements).toBeLessThanOrEqual(1_000);
}, 60_000);

test.each(["before", "after"] as const)(
  "each statement of a delivery lost once %s it took effect: delivered within seconds, exactly once",
  async (when) => {
    for (let nth = 0; ; nth++) {
      const name = `lost-${when}-${nth}`;
      const mlflow = new OddMlflow();
      await study(name, 1, 3);
      const { db, losses } = losing({ isLost: (n) => n === nth, when });
      const { left, longest } = await deliverAll(mlflow, await pokesOf(name), 1, { db });
      expect(longest, `statement ${nth}`).toBeLessThanOrEqual(15);
      const runs = mlflow.runs.filter(({ tags }) => tags.has("thunderline_trial_id"));
      const found = { left, behind: await behind(name), runs: runs.map(({ points }) => points.size) };
      expect(found, `statement ${nth}`).toEqual({ left: 0, behind: 0, runs: [3] });
      if (losses() === 0) break;
    }
  },
  240_000,
);

test("statements that run out between a write's beginning and its call leave nothing to be waited for", async () => {
  for (let statements = 10; statements < 90; statements += 3) {
    const name = `short-${statements}`;
    const mlflow = new OddMlflow();
    await study(name, 1, 3);
    const pokes = await pokesOf(name);
    for (const poke of pokes) {
      if (poke.kind !== "poke") continue;
      const { deps } = invoked(mlflow);
      await drive(invocation(deps, ENDING_STATEMENTS + statements), poke.streamId).catch((error) => {
        // Before the claim nothing is held.
        if (!isOutOfStatements(error)) throw error;
      });
    }
    // A write that was answered may be in doubt, if no statement was left to note it: it is over.
    const query = env.DB.prepare(`select count(*) as n from streams where model_run_id = ?1
      and (doubt is not null and fence_until > cast(unixepoch('subsec') * 1000 as integer) or lease_token is not null)`);
    expect(await query.bind(name).first("n"), String(statements)).toBe(0);
    const { left } = await deliverAll(mlflow, pokes, 2);
    const runs = mlflow.runs.filter(({ tags }) => tags.has("thunderline_trial_id"));
    const found = { left, behind: await behind(name), runs: runs.map(({ points }) => points.size) };
    expect(found, String(statements)).toEqual({ left: 0, behind: 0, runs: [3] });
  }
}, 120_000);
