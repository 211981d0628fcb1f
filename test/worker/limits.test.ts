import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { consume } from "../../src/relay/consume.ts";
import { reconcile } from "../../src/relay/cron/pass.ts";
import { drive } from "../../src/relay/delivery/drive.ts";
import type { Deps } from "../../src/relay/deps.ts";
import type { RelayMessage } from "../../src/relay/messages.ts";
import { ENDING_STATEMENTS, isOutOfStatements } from "../../src/store/database/budget.ts";
import { ending } from "../../src/store/database/counted.ts";
import { wire } from "../../src/wire.ts";
import { Invocation } from "../platform/limits.ts";
import { post } from "./api.ts";
import { invocation } from "./endless.ts";
import { recordingQueue } from "./job-tools.ts";
import { OddMlflow } from "./odd-mlflow.ts";

/** What an invocation may take is enforced here, and everything arrives all the same. */

const QUIET = { RELAY_ANNOUNCE_GRACE_SECONDS: "0", RELAY_RETRY_BASE_MS: "10", RELAY_RETRY_MAX_MS: "100" };

/** One invocation's effects under the platform's limits, with what it sends on. */
function invoked(mlflow: OddMlflow, db: D1Database = env.DB) {
  const taken = new Invocation();
  const trials = recordingQueue();
  const bindings = { ...env, ...QUIET, DB: db, TRIALS: trials.queue, JOBS: recordingQueue().queue };
  const deps: Deps = wire(taken.env(bindings), {}, taken.fetch(mlflow.fetch));
  return { taken, deps, sent: trials.sent };
}

/** Delivers messages and what they lead to, so many at once. @returns how many were retried, the most statements, the longest wait in seconds */
async function deliverAll(
  mlflow: OddMlflow,
  first: readonly RelayMessage[],
  batchSize: number,
  db?: () => D1Database,
) {
  const waiting = [...first];
  let retried = 0;
  let most = 0;
  let longest = 0;
  for (let n = 0; waiting.length > 0 && n < 500; n++) {
    const { taken, deps, sent } = invoked(mlflow, db?.());
    const bodies = waiting.splice(0, batchSize);
    const messages = bodies.map((body, i) => ({
      id: String(i),
      timestamp: new Date(),
      attempts: 1,
      body,
      ack() {},
      retry({ delaySeconds = 0 }: QueueRetryOptions = {}) {
        longest = Math.max(longest, delaySeconds);
        retried++;
        waiting.push(body);
      },
    }));
    await consume(deps, messages);
    most = Math.max(most, taken.statements);
    waiting.push(...sent.map(({ body }) => body));
    longest = Math.max(longest, ...sent.map(({ delaySeconds = 0 }) => delaySeconds));
    if (sent.some(({ delaySeconds = 0 }) => delaySeconds > 0))
      await env.DB.prepare("update streams set next_attempt_at = 0").run();
  }
  return { retried, most, longest, left: waiting.length };
}

async function pokesOf(modelRunId: string): Promise<RelayMessage[]> {
  const query = env.DB.prepare("select id from streams where model_run_id = ?1 order by kind desc, id");
  const { results } = await query.bind(modelRunId).all<{ id: number }>();
  return results.map(({ id }) => ({ kind: "poke", streamId: id }));
}

function behind(modelRunId: string): Promise<number | null> {
  const query = "select count(*) as n from streams where model_run_id = ?1 and delivered_seq < last_seq";
  return env.DB.prepare(query).bind(modelRunId).first<number>("n");
}

async function study(modelRunId: string, trials: number, points: number): Promise<void> {
  const search = { requested_trials: trials, search_space_version: 1, max_params: 1 };
  await post({ event: "ml.run.start", model_run_id: modelRunId, ...search });
  for (let t = 0; t < trials; t++)
    await post([
      { event: "ml.trial.start", model_run_id: modelRunId, trial_id: `t${t}`, spectral_norm: true },
      ...Array.from({ length: points }, (_, step) => ({
        event: "ml.run.metric",
        model_run_id: modelRunId,
        trial_id: `t${t}`,
        step,
        metrics: { loss: 1 / (step + 1) },
      })),
    ]);
}

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

/** The database, which loses its connection at the nth statement or batch: before it took effect, or after. */
function losing(nth: number, when: "before" | "after") {
  let n = 0;
  const inner = new WeakMap<D1PreparedStatement, D1PreparedStatement>();
  const lost = () => new Error("D1_ERROR: Network connection lost.");
  const effect = async <T>(work: () => Promise<T>): Promise<T> => {
    const isIt = n++ === nth;
    if (isIt && when === "before") throw lost();
    const result = await work();
    if (isIt) throw lost();
    return result;
  };
  const wrapped = (statement: D1PreparedStatement): D1PreparedStatement => {
    const outer = new Proxy(statement, {
      get(target, name) {
        if (name === "bind") return (...values: unknown[]) => wrapped(target.bind(...values));
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== "function") return member;
        return (...args: unknown[]) => effect(async () => Reflect.apply(member, target, args));
      },
    });
    inner.set(outer, statement);
    return outer;
  };
  const db = new Proxy(env.DB, {
    get(target, name) {
      if (name === "prepare") return (sql: string) => wrapped(target.prepare(sql));
      if (name === "batch")
        return (statements: D1PreparedStatement[]) =>
          effect(() => target.batch(statements.map((one) => inner.get(one) ?? one)));
      const member: unknown = Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  return { db, hasLost: () => n > nth };
}

test.each(["before", "after"] as const)(
  "each statement of a delivery lost once %s it took effect: delivered within seconds, exactly once",
  async (when) => {
    for (let nth = 0; ; nth++) {
      const name = `lost-${when}-${nth}`;
      const mlflow = new OddMlflow();
      await study(name, 1, 3);
      const { db, hasLost } = losing(nth, when);
      const { left, longest } = await deliverAll(mlflow, await pokesOf(name), 1, () => db);
      expect(longest, `statement ${nth}`).toBeLessThanOrEqual(15);
      const runs = mlflow.runs.filter(({ tags }) => tags.has("thunderline_trial_id"));
      const found = { left, behind: await behind(name), runs: runs.map(({ points }) => points.size) };
      expect(found, `statement ${nth}`).toEqual({ left: 0, behind: 0, runs: [3] });
      if (!hasLost()) break;
    }
  },
  240_000,
);

test("statements that run out between a write's beginning and its call leave nothing in doubt", async () => {
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
    const query = env.DB.prepare(
      "select count(*) as n from streams where model_run_id = ?1 and (doubt is not null or lease_token is not null)",
    );
    expect(await query.bind(name).first("n"), String(statements)).toBe(0);
    const { left } = await deliverAll(mlflow, pokes, 2);
    const runs = mlflow.runs.filter(({ tags }) => tags.has("thunderline_trial_id"));
    const found = { left, behind: await behind(name), runs: runs.map(({ points }) => points.size) };
    expect(found, String(statements)).toEqual({ left: 0, behind: 0, runs: [3] });
  }
}, 120_000);
