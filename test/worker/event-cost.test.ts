import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { reconcile } from "../../src/relay/cron/pass.ts";
import { forgetOld, retire } from "../../src/relay/cron/retention.ts";
import { drive } from "../../src/relay/delivery/drive.ts";
import type { Deps } from "../../src/relay/deps.ts";
import { request } from "./api.ts";
import { FakeMlflow } from "./fake-mlflow.ts";
import { metered } from "./metered.ts";
import { metric, start } from "./payloads.ts";

/**
 * What an event costs in rows written, all in: journalled, folded and delivered in one turn as the consumer does it,
 * confirmed, pruned and forgotten, as D1 itself counts in `meta.rows_written`. Counted on the real code, from after a
 * trial's start was delivered; its end is delivered uncounted, as an event of another kind.
 */

const DAY_MS = 86_400_000;
const STAGES = ["journal", "deliver", "confirm", "prune", "forget"] as const;
type Stage = (typeof STAGES)[number];

/** A way of sending: so many events a request, so many requests before the consumer's turn comes. */
type Way = { name: string; perRequest: number; requestsPerTurn: number; turns: number };

async function send(db: D1Database, events: unknown[]): Promise<void> {
  const sent = await request("/api/events/ml", {
    method: "POST",
    body: JSON.stringify(events),
    bindings: { DB: db },
  });
  expect(sent.status).toBe(202);
}

it("a request is journalled in one round trip, also for a trial that was not heard of before", async () => {
  // The first request of an isolate also stores its counts, after the answer.
  await send(env.DB, [start("the first")]);
  for (let step = 0; step < 2; step++) {
    const { db, meter } = metered(env.DB);
    await send(db, [
      metric("one trip", { metrics: { loss: 1 }, step }),
      metric("another", { metrics: { loss: 1 }, step }),
    ]);
    expect(meter.roundTrips, meter.worst()).toBe(1);
  }
});

async function costOf({ name, perRequest, requestsPerTurn, turns }: Way) {
  const mlflow = new FakeMlflow();
  const deps = mlflow.deps({
    RELAY_ANNOUNCE_GRACE_SECONDS: "0",
    RELAY_RETENTION_DAYS: "0",
    RELAY_PARENT_RUNS: "false",
  });
  const rows = new Map<Stage, number>();
  const dearest: string[] = [];
  const counted = async (stage: Stage, work: (db: D1Database) => Promise<unknown>) => {
    const { db, meter } = metered(env.DB);
    await work(db);
    rows.set(stage, (rows.get(stage) ?? 0) + meter.rowsWritten);
    dearest.push(
      `${stage}, ${meter.rowsWritten} rows in ${meter.roundTrips} round trips:\n${meter.dearest()}`,
    );
  };
  const at = (db: D1Database, days = 0): Deps => ({ ...deps, db, now: () => Date.now() + days * DAY_MS });

  await send(env.DB, [start(name)]);
  const id = await env.DB.prepare("select id from streams where trial_id = ?1")
    .bind(name)
    .first<number>("id");
  if (id === null) throw new Error("no stream");
  await drive(at(env.DB), id);
  let step = 0;
  for (let turn = 0; turn < turns; turn++) {
    for (let n = 0; n < requestsPerTurn; n++) {
      const events = Array.from({ length: perRequest }, () =>
        metric(name, { event_id: `${name} ${++step}`, metrics: { loss: 1 / step }, step }),
      );
      await counted("journal", (db) => send(db, events));
    }
    await counted("deliver", (db) => drive(at(db), id));
  }
  await send(env.DB, [{ ...start(name, { event_id: "end", metrics: {} }), event: "ml.trial.complete" }]);
  await drive(at(env.DB), id);
  await counted("confirm", (db) => reconcile({ ...at(db), config: { ...deps.config, retentionMs: DAY_MS } }));
  await scheduler.wait(3);
  await counted("prune", (db) => retire(at(db)));
  await counted("forget", (db) => forgetOld(at(db, 30)));
  const events = perRequest * requestsPerTurn * turns;
  const each = (n: number) => Math.round((100 * n) / events) / 100;
  return {
    all: each([...rows.values()].reduce((sum, n) => sum + n, 0)),
    stages: Object.fromEntries(STAGES.map((stage) => [stage, each(rows.get(stage) ?? 0)])),
    dearest,
  };
}

it.each<Way & { most: number }>([
  { name: "requests of 100", perRequest: 100, requestsPerTurn: 1, turns: 5, most: 3.15 },
  { name: "one by one, one a second", perRequest: 1, requestsPerTurn: 2, turns: 30, most: 8 },
  { name: "one by one, many a turn", perRequest: 1, requestsPerTurn: 100, turns: 6, most: 6.1 },
  { name: "each on its own", perRequest: 1, requestsPerTurn: 1, turns: 30, most: 10 },
])("an event costs at most $most rows, $name", async ({ most, ...way }) => {
  const { all, stages, dearest } = await costOf(way);
  const message = [
    `${all} an event: ${JSON.stringify(stages)}`,
    ...dearest.slice(-(way.requestsPerTurn + 5)),
  ].join("\n\n");
  expect(all, message).toBeLessThanOrEqual(most);
});
