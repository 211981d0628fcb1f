import { env } from "cloudflare:workers";
import { beforeEach, expect, test } from "vitest";
import { reconcile } from "../../src/relay/cron/pass.ts";
import { pokeBehind, wake } from "../../src/relay/stream/wake.ts";
import { recordingQueue } from "./job-tools.ts";
import { TrackingServer } from "./tracking-server.ts";

beforeEach(async () => {
  await env.DB.prepare("delete from streams").run();
});

const TRIALS = 7_000;
const PASSES = 12;

/** The trials that so many passes have poked, none of which gets on. */
async function poked(passes: number): Promise<Set<number>> {
  const { sent, queue } = recordingQueue();
  for (let pass = 0; pass < passes; pass++) {
    const random = () => (pass + 0.5) / passes;
    await pokeBehind({ ...new TrackingServer().deps(), trials: queue, random });
  }
  return new Set(sent.flatMap(({ body }) => (body.kind === "poke" ? [body.streamId] : [])));
}

test("of more trials than a pass may poke none waits for ever behind those that stay behind", async () => {
  await env.DB.prepare(
    `insert into streams (key, kind, trial_id, created_at, updated_at, last_seq)
     with recursive n (n) as (select 1 union all select n + 1 from n where n < ?1)
     select 'behind-' || n, 'trial', 'behind-' || n, 1, 1, 1 from n`,
  )
    .bind(TRIALS)
    .run();
  expect((await poked(1)).size).toBeLessThan(TRIALS);
  expect((await poked(PASSES)).size).toBe(TRIALS);
});

const LEASED_S = 40;

test("a trial that waits for the breaker is woken once its lease is over, for the one that holds it may have died", async () => {
  await env.DB.prepare(
    `insert into streams (id, key, kind, trial_id, created_at, updated_at, last_seq, waiting_for, lease_token, lease_until)
     select n, 'waiting-' || n, 'trial', 'waiting-' || n, 1, 1, 1, 'breaker', iif(n = 1, null, 'dead'),
       iif(n = 1, 0, (unixepoch() + ?1) * 1000)
     from (select 1 as n union all select 2)`,
  )
    .bind(LEASED_S)
    .run();
  const { sent, queue } = recordingQueue();
  await wake({ ...new TrackingServer().deps(), trials: queue });
  const delayOf = new Map(
    sent.map(({ body, delaySeconds = 0 }) => [body.kind === "poke" && body.streamId, delaySeconds]),
  );
  expect(delayOf.get(1)).toBe(0);
  expect(delayOf.get(2)).toBeGreaterThan(LEASED_S - 10);
  expect(delayOf.get(2)).toBeLessThanOrEqual(LEASED_S);
});

test("where only what operators ask for is delivered, nothing else that waits for the breaker is woken in its place", async () => {
  await env.DB.prepare(
    `insert into streams (key, kind, trial_id, created_at, updated_at, last_seq, waiting_for, forced)
     with recursive n (n) as (select 1 union all select n + 1 from n where n < 2001)
     select 'held-' || n, 'trial', 'held-' || n, 1, 1, 1, 'breaker', n = 2001 from n`,
  ).run();
  const asked = await env.DB.prepare("select id from streams where forced").first<number>("id");
  const { sent, queue } = recordingQueue();
  await wake({ ...new TrackingServer().deps({ MLFLOW_AUTO_SYNC: "false" }), trials: queue });
  expect(sent.map(({ body }) => body)).toEqual([{ kind: "poke", streamId: asked }]);
});

const DAY_MS = 86_400_000;

test("what was put off by a clock that was far ahead is taken up by the next pass, and no wait that may be is cut short", async () => {
  const at = Date.now() + DAY_MS;
  const soon = Date.now() + 60_000;
  await env.DB.batch([
    env.DB.prepare(
      `insert into streams (key, kind, trial_id, created_at, updated_at, last_seq, folded_seq, next_attempt_at, poked_until, doubt, fence_until)
       values ('tried', 'trial', 't', 1, 1, 1, 1, ?1, 0, null, null), ('poked', 'trial', 'p', 1, 1, 1, 0, 0, ?1, null, null),
         ('fenced', 'trial', 'f', 1, 1, 1, 1, 0, 0, '{}', ?1), ('waits', 'trial', 'w', 1, 1, 1, 1, ?2, ?2, '{}', ?2)`,
    ).bind(at, soon),
    env.DB.prepare(
      "insert into breakers (server, state, probe_at, updated_at) values ('clock', 'open', ?1, 1)",
    ).bind(at),
  ]);
  await reconcile(new TrackingServer().deps());
  const { results } = await env.DB.prepare(
    "select key, next_attempt_at as tried, poked_until as poked, fence_until as fence from streams order by id",
  ).all<{ key: string; tried: number; poked: number; fence: number | null }>();
  const late = results.filter(({ tried, poked, fence }) => Math.max(tried, poked, fence ?? 0) >= at);
  expect(late).toEqual([]);
  expect(results.find(({ key }) => key === "waits")).toMatchObject({ tried: soon, poked: soon, fence: soon });
  expect(results.find(({ key }) => key === "fenced")?.fence).toBeGreaterThan(Date.now());
  expect(await env.DB.prepare("select probe_at from breakers where server = 'clock'").first("probe_at")).toBe(
    0,
  );
});
