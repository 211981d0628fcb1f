import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { post } from "./api.ts";
import { metric, start } from "./payloads.ts";

/** The journal's numbers: the order of acceptance within a trial. */

type Row = { seq: number; id: string; trial: string; last: number };

async function journalled(trials: string): Promise<Row[]> {
  const { results } = await env.DB.prepare(
    `select e.seq, e.event_id as id, s.trial_id as trial, s.last_seq as last from events e
     join streams s on s.id = e.stream_id where s.trial_id like ?1 order by e.seq`,
  )
    .bind(`${trials}%`)
    .all<Row>();
  return results;
}

it("go up in the order of a request, which repeats, other trials and several statements do not disturb", async () => {
  // More than one statement holds.
  const note = "x".repeat(4_000);
  const event = (n: number) =>
    metric(`order ${n % 3}`, { event_id: `e${n}`, step: n, metrics: { loss: n }, metadata: { note } });
  const events = Array.from({ length: 600 }, (_, n) => event(n));
  await post(events.slice(100, 110));
  expect((await post(events)).body).toMatchObject({ accepted: 590, duplicates: 10 });
  await post(event(600));
  const rows = await journalled("order");
  const before = Array.from({ length: 10 }, (_, n) => n + 100);
  const after = Array.from({ length: 601 }, (_, n) => n).filter((n) => !before.includes(n));
  const byTrial = Map.groupBy(rows, ({ trial }) => trial);
  expect(byTrial.size).toBe(3);
  for (const [trial, own] of byTrial) {
    const ids = [...before, ...after].filter((n) => `order ${n % 3}` === trial).map((n) => `e${n}`);
    expect(own.map(({ id }) => id)).toEqual(ids);
    expect(new Set(own.map(({ seq }) => seq)).size).toBe(ids.length);
    expect(own.at(-1)?.last).toBe(own.at(-1)?.seq);
  }
});

it("go on where a trial's events are forgotten, or another build has numbered them", async () => {
  await post(metric("gone", { event_id: "first", step: 1, metrics: { loss: 1 } }));
  await env.DB.batch([
    env.DB.prepare("update streams set last_seq = 900 where trial_id = 'gone'"),
    env.DB.prepare("delete from events where event_id = 'first'"),
  ]);
  await post(metric("gone", { event_id: "next", step: 2, metrics: { loss: 1 } }));
  expect(await journalled("gone")).toMatchObject([{ id: "next", seq: 901, last: 901 }]);
});

it("stay behind the one from which an earlier build numbers the events of all trials", async () => {
  const ahead = () =>
    env.DB.prepare("select value from tallies where name = 'journal.seq'").first<number>("value");
  const journalSeq = (await ahead()) ?? 0;
  await env.DB.prepare("update streams set last_seq = ?1 where trial_id = 'gone'").bind(journalSeq).run();
  for (const n of [1, 2])
    await post(metric("gone", { event_id: `ahead ${n}`, step: 2 + n, metrics: { loss: 1 } }));
  const last = (await journalled("gone")).at(-1)?.seq ?? 0;
  expect(last).toBe(journalSeq + 2);
  expect(await ahead()).toBeGreaterThanOrEqual(last);
});

it("are one event's each, though another trial has events of the same ids", async () => {
  const both = (loss: number) =>
    ["same a", "same b"].map((trial) => metric(trial, { event_id: "e", step: 1, metrics: { loss } }));
  expect((await post(both(1))).body).toMatchObject({ accepted: 2 });
  expect((await post(both(1))).body).toMatchObject({ accepted: 0, duplicates: 2 });
  expect((await post(both(2))).body).toMatchObject({ accepted: 0 });
  expect(await journalled("same")).toHaveLength(2);
});

it("are not given again after what had them was taken back", async () => {
  const failed = {
    ...start("back", { step: 5, metrics: { loss: 1 }, error_message: "no" }),
    event: "ml.trial.failed",
  };
  await post(failed);
  await scheduler.wait(3);
  await post(failed);
  await post(metric("back", { event_id: "later", step: 6, metrics: { loss: 2 } }));
  const rows = await journalled("back");
  expect(rows).toHaveLength(2);
  expect(rows[1]?.id).toBe("later");
  expect(rows.every(({ last }) => last === rows[1]?.seq)).toBe(true);
});
