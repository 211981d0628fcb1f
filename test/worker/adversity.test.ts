import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { consume } from "../../src/relay/consume.ts";
import { reconcile } from "../../src/relay/cron/pass.ts";
import { drive } from "../../src/relay/delivery/drive.ts";
import { post } from "./api.ts";
import { behind, deliverAll, invoked, messageOf, pokesOf, study } from "./invocations.ts";
import { losing } from "./losing.ts";
import { OddMlflow, TOO_LONG } from "./odd-mlflow.ts";

/** Troubles that last, or come together, under the platform's limits: what was begun ends, and everything arrives. */

const MAX_WALL_MS = 15 * 60_000;

/** How many points each trial's run has. */
const pointsIn = ({ runs }: OddMlflow) =>
  runs.filter(({ tags }) => tags.has("thunderline_trial_id")).map(({ points }) => points.size);

test("a database that loses every second answer, for however long, is no reason to block a trial", async () => {
  const name = "lossy";
  const mlflow = new OddMlflow();
  await study(name, 1, 3);
  await env.DB.prepare("update streams set attempts = 50 where model_run_id = ?1").bind(name).run();
  const { db, losses } = losing({ isLost: (n) => n % 2 === 0, when: "before" });
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
);

test("one bad item among many, and a slow MLflow: it is found over some invocations, and the rest arrives", async () => {
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
});

const isBad = ({ key }: { key: string }) => key.startsWith("bad-");

/** A trial with so many tags that MLflow does not take, all said in one request. */
async function refused(mlflow: OddMlflow, name: string, trialId: string, tags: number): Promise<void> {
  mlflow.odd = (endpoint, asked) =>
    endpoint === "runs/log-batch" && asked.tags.some(isBad) ? TOO_LONG : null;
  const about = { event: "ml.trial.start", model_run_id: name, trial_id: trialId, spectral_norm: true };
  const start = (from: number) => ({
    ...about,
    event_id: `from ${from}`,
    tags: Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`bad-${from + i}`, "x"])),
  });
  await post(Array.from({ length: tags / 100 }, (_, n) => start(n * 100)));
}

async function lettersOf(name: string): Promise<number> {
  const query = `select count(*) as n from dead_letters d join streams s on s.id = d.stream_id
    where s.model_run_id = ?1`;
  return (await env.DB.prepare(query).bind(name).first<number>("n")) ?? 0;
}

test("tags of several trials that MLflow does not take, all in one invocation: what it leaves others end, and nothing is left for ever", async () => {
  const [name, trials, tags] = ["tags", 3, 100];
  const mlflow = new OddMlflow();
  for (let n = 0; n < trials; n++) await refused(mlflow, name, `t${n}`, tags);
  const { most, left, retried } = await deliverAll(mlflow, await pokesOf(name), 10);
  const found = { left, retried, letters: await lettersOf(name), behind: await behind(name) };
  expect(found).toEqual({ left: 0, retried: 0, letters: trials * tags, behind: 0 });
  expect(most).toBeLessThanOrEqual(1_000);
});

test("5,000 tags of one request that MLflow does not take are set aside a few an invocation, the first as the last", async () => {
  const name = "thousands of tags";
  const mlflow = new OddMlflow();
  await refused(mlflow, name, "t", 5_000);
  let pokes = await pokesOf(name);
  const setAside: number[] = [];
  for (let n = 0; n < 12; n++) {
    const before = await lettersOf(name);
    const { taken, deps, sent } = invoked(mlflow);
    await consume(
      deps,
      pokes.map((body, n) => messageOf(body, n)),
    );
    expect(taken.statements).toBeLessThanOrEqual(1_000);
    setAside.push((await lettersOf(name)) - before);
    pokes = sent.map(({ body }) => body);
    expect(pokes.length).toBeGreaterThan(0);
  }
  const some = setAside.filter((n) => n > 0);
  expect(some.length, String(setAside)).toBeGreaterThanOrEqual(10);
  expect(Math.min(...some.slice(-5)), String(setAside)).toBeGreaterThanOrEqual(Math.max(...some) / 4);
});

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
