import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { foldAll, idOf, post, request } from "./api.ts";
import { metric } from "./payloads.ts";
import { POINTS } from "./stored-points.ts";

/** Nothing is ever taken from an event that was accepted before. */

/** The clock goes on, so that a repeat is accepted at another time than the first. */
async function postLater(body: unknown, headers: Record<string, string> = {}) {
  await scheduler.wait(3);
  return post(body, headers);
}

const point = z.object({ step: z.number(), timestamp: z.number(), value: z.number() });

async function pointsOf(trialId: string) {
  const { results } = await env.DB.prepare(
    `select p.step, p.timestamp, p.value from ${POINTS} p join streams s on s.id = p.stream_id
     where s.trial_id = ?1 order by p.step, p.timestamp`,
  )
    .bind(trialId)
    .all();
  return z.array(point).parse(results);
}

describe("a repeat adds nothing", () => {
  it("where two events of one request share a point and have no time of their own", async () => {
    const loss = { metrics: { loss: 0.5 }, step: 1 };
    const twice = [
      metric("shared", { event_id: "a", ...loss }),
      metric("shared", { event_id: "b", ...loss }),
    ];
    expect((await post(twice)).body).toMatchObject({ accepted: 2 });
    const before = await pointsOf("shared");
    expect(before).toHaveLength(1);
    for (const again of [twice, [twice[1]], twice.toReversed()])
      expect((await postLater(again)).body).toMatchObject({ accepted: 0, duplicates: again.length });
    expect(await pointsOf("shared")).toEqual(before);
  });

  it("where the same body stands twice in a request with an Idempotency-Key", async () => {
    const loss = metric("keyed twice", { metrics: { loss: 0.5 }, step: 1 });
    const key = { "idempotency-key": "k" };
    await post([loss, loss], key);
    const before = await pointsOf("keyed twice");
    expect((await postLater([loss, loss], key)).body).toMatchObject({ duplicates: 2 });
    expect(await pointsOf("keyed twice")).toEqual(before);
  });

  it("after the point was sent again with another value in place of one that MLflow refused", async () => {
    const event = metric("edited", {
      event_id: "e",
      metrics: { loss: 5 },
      step: 1,
      occurred_at: 1_700_000_000_000,
    });
    await post(event);
    await foldAll();
    const item = { key: "loss", value: 5, timestamp: 1_700_000_000_000, step: 1 };
    const letter = await env.DB.prepare(
      `insert into dead_letters (stream_id, kind, item, reason, created_at)
       select id, 'metric', ?1, 'no', 0 from streams where trial_id = 'edited' returning id`,
    )
      .bind(JSON.stringify(item))
      .first<number>("id");
    const replayed = await request(`/api/ops/dead-letters/${letter}/replay`, {
      method: "POST",
      body: JSON.stringify({ item: { ...item, value: 6 } }),
      headers: { "content-type": "application/json" },
    });
    expect(replayed.status).toBe(200);
    const edited = [{ step: 1, timestamp: 1_700_000_000_000, value: 6 }];
    expect(await pointsOf("edited")).toEqual(edited);
    expect((await postLater(event)).body).toMatchObject({ duplicate: true });
    expect(await pointsOf("edited")).toEqual(edited);
  });

  it("and is counted in the ledger, also within one request", async () => {
    const event = metric("counted", { event_id: "e", metrics: { loss: 1 }, step: 1 });
    expect((await post([event, event, event])).body).toMatchObject({ accepted: 1, duplicates: 2 });
    await post([event, event]);
    const { body } = await request(`/api/trials/${await idOf("counted")}/ledger`);
    expect(body).toMatchObject({ events: [{ event_id: "e", repeats: 4 }] });
  });
});

it("An event is accepted, not a repeat, also when the stub of another's trial was lost with an earlier database", async () => {
  await post(metric("lost", { metrics: { loss: 1 } }));
  await env.DB.batch([
    env.DB.prepare("delete from trials where trial_id = 'lost'"),
    env.DB.prepare("delete from streams where trial_id = 'lost'"),
  ]);
  const both = ["kept", "lost"].map((trial) => metric(trial, { event_id: "e", metrics: { loss: 2 } }));
  expect((await post(both)).body).toMatchObject({ accepted: 2, duplicates: 0 });
  expect(await pointsOf("lost")).toHaveLength(1);
});
