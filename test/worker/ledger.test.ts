import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { noPoints, type Report, textReport } from "../../src/domain/report.ts";
import { bury } from "../../src/store/delivery/dead-letters.ts";
import { recordConflicts } from "../../src/store/mirror/conflicts.ts";
import { storeVerdict } from "../../src/store/readback/verdicts.ts";
import { foldAll, idOf, post, request } from "./api.ts";

const AT = Date.parse("2026-03-01T00:00:00Z");
const ids = { model_run_id: "study", trial_id: "t1" };
const START = {
  event: "ml.trial.start",
  event_id: "start",
  ...ids,
  spectral_norm: true,
  parameters: { lr: 0.1, depth: 3 },
  occurred_at: AT,
};
const metric = (step: number, metrics: object = { loss: step / 10, acc: "NaN" }) => ({
  event: "ml.run.metric",
  event_id: `m${step}`,
  ...ids,
  step,
  metrics,
  occurred_at: AT + step * 1000,
});

const page = z.object({
  totals: z.record(z.string(), z.number()),
  events: z.array(
    z.looseObject({ event_id: z.string(), state: z.string(), repeats: z.number(), points: z.number() }),
  ),
  next_cursor: z.string().nullable(),
});

async function ledger(query = "") {
  const { status, body } = await request(`/api/trials/${await idOf("t1")}/ledger${query}`);
  expect(status, JSON.stringify(body)).toBe(200);
  return page.parse(body);
}

const states = async (query = "") =>
  Object.fromEntries((await ledger(query)).events.map(({ event_id, state }) => [event_id, state]));

async function streamId(): Promise<number> {
  const id = await env.DB.prepare("select id from streams where trial_id = 't1'").first<number>("id");
  return id ?? 0;
}

async function seqOf(eventId: string): Promise<number> {
  const query = env.DB.prepare("select seq from events where event_id = ?1").bind(eventId);
  return (await query.first<number>("seq")) ?? 0;
}

async function moveTo(marks: { planned: string; delivered: string }, deliveredAt: number): Promise<void> {
  const seqs = [await seqOf(marks.planned), await seqOf(marks.delivered)];
  await env.DB.prepare(
    "update streams set planned_seq = ?1, delivered_seq = ?2, delivered_at = ?3 where trial_id = 't1'",
  )
    .bind(...seqs, deliveredAt)
    .run();
}

const nothing = textReport({ due: [], missing: [], different: [], undelivered: 0, explained: 0 });
const REPORT: Report = {
  undelivered_events: 0,
  run: { id: "r", state: "active" },
  double_runs: [],
  points: noPoints,
  params: nothing,
  tags: nothing,
  state: [],
};

describe("the ledger", () => {
  beforeAll(async () => {
    const taken = await post([START, metric(1), metric(2), metric(3), metric(4), metric(5)]);
    expect(taken.body).toMatchObject({ accepted: 6 });
    for (let i = 0; i < 2; i++) expect((await post([metric(2)])).body).toMatchObject({ duplicates: 1 });
  });

  it("lists events in the order of acceptance, with how often they came", async () => {
    const { events, totals, next_cursor } = await ledger();
    expect(next_cursor).toBeNull();
    expect(events.map(({ event_id, state, repeats, points }) => [event_id, state, repeats, points])).toEqual([
      ["start", "accepted", 0, 0],
      ["m1", "accepted", 0, 2],
      ["m2", "accepted", 2, 2],
      ["m3", "accepted", 0, 2],
      ["m4", "accepted", 0, 2],
      ["m5", "accepted", 0, 2],
    ]);
    expect(totals).toEqual({
      accepted: 6,
      delivered: 0,
      confirmed: 0,
      duplicates: 2,
      conflicting: 0,
      dead: 0,
    });
    expect(events[1]).toMatchObject({
      type: "ml.run.metric",
      occurred_at: "2026-03-01T00:00:01.000Z",
      accepted_at: expect.stringMatching(/Z$/),
      delivered_by: null,
      confirmed_at: null,
      conflicts: [],
      dead_letters: [],
    });
  });

  it("follows the watermarks, and says confirmed only where a verdict covers an event", async () => {
    await foldAll();
    await moveTo({ planned: "m4", delivered: "m3" }, AT + 60_000);
    expect(await states()).toEqual({
      start: "delivered",
      m1: "delivered",
      m2: "delivered",
      m3: "delivered",
      m4: "planned",
      m5: "accepted",
    });
    const seq = await seqOf("m2");
    await storeVerdict(env.DB, await streamId(), {
      verdict: "differs",
      seq,
      checkedAt: AT + 70_000,
      report: REPORT,
    });
    expect((await states()).m1).toBe("delivered");
    await storeVerdict(env.DB, await streamId(), {
      verdict: "confirmed",
      seq,
      checkedAt: AT + 80_000,
      report: REPORT,
    });
    expect(await states()).toMatchObject({ start: "confirmed", m2: "confirmed", m3: "delivered" });
    const { events, totals } = await ledger("?event_id=m2");
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      delivered_by: "2026-03-01T00:01:00.000Z",
      confirmed_at: "2026-03-01T00:01:20.000Z",
    });
    expect(totals).toMatchObject({ accepted: 6, delivered: 4, confirmed: 3 });
  });

  it("is shown on the trial, and the verdict has its own address", async () => {
    const id = await idOf("t1");
    const verified = { verdict: "confirmed", checked_at: "2026-03-01T00:01:20.000Z", up_to_date: false };
    expect((await request(`/api/trials/${id}`)).body).toMatchObject({ verified });
    expect((await request(`/api/trials/${id}/verdict`)).body).toEqual({
      id,
      ...ids,
      ...verified,
      report: JSON.parse(JSON.stringify(REPORT)),
    });
  });

  it("names the dead letters and conflicts of each event", async () => {
    const id = await streamId();
    const letter = { streamId: id, reason: "INVALID_PARAMETER_VALUE: no", createdAt: AT };
    const point = { key: "acc", value: "NaN", timestamp: AT + 3000, step: 3 };
    await bury(env.DB, { ...letter, kind: "metric", item: JSON.stringify(point) });
    const conflict = { streamId: id, kind: "param", kept: "0.5", createdAt: AT } as const;
    await recordConflicts(env.DB, [
      { ...conflict, field: "lr", refused: "0.1", source: "mlflow" },
      { ...conflict, field: "depth", refused: "4", source: "journal", eventId: "m5" },
    ]);
    const { events, totals } = await ledger();
    const of = (eventId: string) => events.find(({ event_id }) => event_id === eventId);
    expect(of("m3")).toMatchObject({
      state: "dead",
      dead_letters: [{ kind: "metric", item: point, state: "open" }],
    });
    expect(of("start")).toMatchObject({
      state: "conflicting",
      conflicts: [{ kind: "param", field: "lr", kept: "0.5", refused: "0.1" }],
    });
    expect(of("m5")).toMatchObject({
      state: "conflicting",
      conflicts: [{ field: "depth" }],
      dead_letters: [],
    });
    expect(totals).toMatchObject({ conflicting: 2, dead: 1 });
  });

  it("is filtered by state, and paged", async () => {
    expect(await states("?state=conflicting")).toEqual({ start: "conflicting", m5: "conflicting" });
    const first = await ledger("?limit=4");
    const rest = await ledger(`?limit=4&cursor=${first.next_cursor}`);
    expect([first, rest].map(({ events }) => events.map(({ event_id }) => event_id))).toEqual([
      ["start", "m1", "m2", "m3"],
      ["m4", "m5"],
    ]);
    expect(rest.next_cursor).toBeNull();
  });

  it.each([
    ["/api/trials/none/ledger", 404, "There is no trial none."],
    ["/api/trials/t1/ledger?event_id=none", 404, /There is no event none in trial/],
    ["/api/trials/t1/ledger?state=lost", 400, /state must be one of accepted, planned/],
    ["/api/trials/none/verdict", 404, "There is no trial none."],
  ])("%s is answered %i", async (path, status, detail) => {
    const answer = await request(path.replace("t1", await idOf("t1")));
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({
      detail: typeof detail === "string" ? detail : expect.stringMatching(detail),
    });
  });
});

describe("an event that was not taken as it was sent", () => {
  it("says so in the ledger as in its answer", async () => {
    const start = { ...START, trial_id: "t2", paramters: { lr: 1 } };
    const { body } = await post([start, { ...metric(1), trial_id: "t2" }]);
    const warning = {
      field: "paramters",
      value: '{"lr":1}',
      rule: "is not a field of ml.trial.start, which has parameters as well",
      action: "left_out",
    };
    expect(body).toMatchObject({ results: [{ warnings: [warning] }, { success: true }] });
    const answer = await request(`/api/trials/${await idOf("t2")}/ledger`);
    expect(answer.body).toMatchObject({
      events: [
        { event_id: "start", warnings: [warning] },
        { event_id: "m1", warnings: [] },
      ],
    });
  });
});
