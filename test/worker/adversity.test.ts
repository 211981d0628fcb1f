import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { reconcile } from "../../src/relay/cron/pass.ts";
import { drive } from "../../src/relay/delivery/drive.ts";
import { post } from "./api.ts";
import { behind, deliverAll, invoked, losing, pokesOf, study } from "./invocations.ts";
import { OddMlflow, TOO_LONG } from "./odd-mlflow.ts";

/** Troubles that last, or come together, under the platform's limits: what was begun ends, and everything arrives. */

const MAX_WALL_MS = 15 * 60_000;
const LONG_MS = 240_000;

/** How many points each trial's run has. */
const pointsIn = ({ runs }: OddMlflow) =>
  runs.filter(({ tags }) => tags.has("thunderline_trial_id")).map(({ points }) => points.size);

test("a database that loses every second answer, for however long, is no reason to block a trial", async () => {
  const name = "lossy";
  const mlflow = new OddMlflow();
  await study(name, 1, 3);
  await env.DB.prepare("update streams set attempts = 50 where model_run_id = ?1").bind(name).run();
  const { db, losses } = losing((n) => n % 2 === 0, "before");
  for (const poke of await pokesOf(name))
    if (poke.kind === "poke") await drive(invoked(mlflow, { db }).deps, poke.streamId).catch(() => null);
  expect(losses()).toBeGreaterThan(3);
  const blocked = "select count(*) as n from streams where model_run_id = ?1 and blocked_kind is not null";
  expect(await env.DB.prepare(blocked).bind(name).first("n")).toBe(0);
  await env.DB.prepare("update streams set lease_until = 0, next_attempt_at = 0 where model_run_id = ?1")
    .bind(name)
    .run();
  const { left } = await deliverAll(mlflow, await pokesOf(name), 2);
  expect({ left, behind: await behind(name), points: pointsIn(mlflow) }).toEqual({
    left: 0,
    behind: 0,
    points: [3],
  });
});

test.each([1_000, 10_000, 29_000])(
  "an MLflow that takes %i ms for every answer: no invocation outlasts the platform's clock, and everything arrives",
  async (callMs) => {
    const name = `slow ${callMs}`;
    const mlflow = new OddMlflow();
    await study(name, 20, 3);
    const { longestMs, left, retried } = await deliverAll(mlflow, await pokesOf(name), 100, { callMs });
    expect(longestMs).toBeLessThan(MAX_WALL_MS);
    expect({ left, retried, behind: await behind(name) }).toEqual({ left: 0, retried: 0, behind: 0 });
    expect(pointsIn(mlflow)).toEqual(Array.from({ length: 20 }, () => 3));
  },
  LONG_MS,
);

test(
  "one bad item among many, and a slow MLflow: it is found over some invocations, and the rest arrives",
  async () => {
    const name = "slow and bad";
    const mlflow = new OddMlflow();
    await study(name, 1, 900);
    mlflow.odd = (endpoint, { metrics }) =>
      endpoint === "runs/log-batch" && metrics.some(({ step }) => step === 777) ? TOO_LONG : null;
    const { longestMs, left } = await deliverAll(mlflow, await pokesOf(name), 10, { callMs: 29_000 });
    expect(longestMs).toBeLessThan(MAX_WALL_MS);
    expect({ left, behind: await behind(name), points: pointsIn(mlflow) }).toEqual({
      left: 0,
      behind: 0,
      points: [899],
    });
  },
  LONG_MS,
);

test(
  "hundreds of tags that MLflow does not take are set aside one by one, in invocations of bounded work",
  async () => {
    const [name, tags] = ["tags", 300];
    const mlflow = new OddMlflow();
    const about = { event: "ml.trial.start", model_run_id: name, trial_id: "t", spectral_norm: true };
    for (let from = 0; from < tags; from += 100)
      await post({
        ...about,
        event_id: `from ${from}`,
        tags: Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`bad-${from + i}`, "x"])),
      });
    mlflow.odd = (endpoint, asked) =>
      endpoint === "runs/log-batch" && asked.tags.some(({ key }) => key.startsWith("bad-")) ? TOO_LONG : null;
    const { most, left, retried } = await deliverAll(mlflow, await pokesOf(name), 10);
    const query = `select count(*) as n from dead_letters d join streams s on s.id = d.stream_id
      where s.model_run_id = ?1`;
    const letters = await env.DB.prepare(query).bind(name).first("n");
    expect({ left, retried, letters, behind: await behind(name) }).toEqual({
      left: 0,
      retried: 0,
      letters: tags,
      behind: 0,
    });
    expect(most).toBeLessThanOrEqual(1_000);
  },
  LONG_MS,
);

test("the breaker that opens in the middle of a batch: nothing more is sent, and all goes on once it closes", async () => {
  const [name, trials] = ["breaker", 40];
  const mlflow = new OddMlflow();
  await study(name, trials, 2);
  const body = JSON.stringify({ error_code: "TEMPORARILY_UNAVAILABLE", message: "no" });
  mlflow.odd = () => (mlflow.runs.length > 10 ? { status: 503, body } : null);
  const vars = { RELAY_BREAKER_FAILURES: "3", RELAY_BREAKER_PROBE_SECONDS: "1" };
  const { retried } = await deliverAll(mlflow, await pokesOf(name), 100, { vars });
  expect(retried).toBe(0);
  expect(await env.DB.prepare("select state from breakers").first("state")).toBe("open");
  const before = mlflow.calls.length;
  for (const poke of await pokesOf(name))
    if (poke.kind === "poke") await drive(invoked(mlflow, { vars }).deps, poke.streamId);
  expect(mlflow.calls.length).toBe(before);
  mlflow.odd = () => null;
  await env.DB.prepare("update breakers set probe_at = 0").run();
  const { left } = await deliverAll(mlflow, [{ kind: "probe" }], 100, { vars });
  expect({ left, behind: await behind(name) }).toEqual({ left: 0, behind: 0 });
  expect(pointsIn(mlflow)).toEqual(Array.from({ length: trials }, () => 2));
});

test("a report that cannot be stored is no reason not to give the lock back, and the next pass goes on", async () => {
  const failing = new Proxy(env.DB, {
    get(target, key) {
      if (key === "prepare")
        return (sql: string) => {
          if (/insert into "?cron_passes/i.test(sql)) throw new Error("D1_ERROR: D1 DB is overloaded.");
          return target.prepare(sql);
        };
      const member: unknown = Reflect.get(target, key);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  await expect(reconcile(invoked(new OddMlflow(), { db: failing }).deps)).rejects.toThrow();
  expect(await env.DB.prepare("select count(*) as n from locks").first("n")).toBe(0);
  expect(await reconcile(invoked(new OddMlflow()).deps)).toMatchObject({ error: null });
});
