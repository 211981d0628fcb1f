import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import * as z from "zod";
import { foldStream } from "../../src/relay/stream/fold.ts";
import { databaseAround } from "../../src/store/database/around.ts";
import { bury } from "../../src/store/delivery/dead-letters.ts";
import { foldAll, idOf, post, request, sent } from "./api.ts";
import { POINTS } from "./stored-points.ts";

const AT = Date.UTC(2025, 0, 1);
const POINT = { key: "loss", value: 1, timestamp: AT, step: 1 };
const REASON = "INVALID_PARAMETER_VALUE: no such loss";

const metric = (trial_id: string, step: number) => ({
  event: "ml.run.metric",
  model_run_id: "study",
  trial_id,
  metric_name: "loss",
  metric_value: step,
  step,
  occurred_at: AT,
});

const streamOf = (trialId: string) =>
  env.DB.prepare("select id from streams where trial_id = ?1").bind(trialId).first<number>("id");

const letter = z.object({ id: z.number(), state: z.string(), settled_at: z.string().nullable() });
const list = z.object({ dead_letters: z.array(letter), next_cursor: z.string().nullable() });

/** Buries an item as delivery does, after everything was delivered. */
async function buried(
  kind: "metric" | "param" | "tag" | "message",
  item: object,
  trialId = "t1",
  reason = REASON,
) {
  await env.DB.prepare("update streams set delivered_seq = last_seq, planned_seq = last_seq").run();
  const streamId = await streamOf(trialId);
  const answer = { reason, mlflowStatus: 400, mlflowCode: "INVALID_PARAMETER_VALUE", createdAt: 1000 };
  await bury(env.DB, { streamId, kind, item: JSON.stringify(item), ...answer });
  const id = await env.DB.prepare("select max(id) as id from dead_letters").first<number>("id");
  return `/api/ops/dead-letters/${id}`;
}

const ask = (path: string, body: unknown = {}) =>
  request(path, { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) });

async function listed(query: string) {
  const { body } = await request(`/api/ops/dead-letters${query}`);
  return list.parse(body).dead_letters.map(({ id }) => id);
}

beforeEach(async () => {
  for (const table of ["dead_letters", "streams", "trials", "events", "metric_chunks", "metric_summaries"])
    await env.DB.prepare(`delete from ${table}`).run();
  await post([metric("t1", 1), metric("t1", 2), metric("t2", 1)]);
  await foldAll();
});

describe("dead letters", () => {
  it("are listed, the latest first, each with its trial", async () => {
    const path = await buried("metric", POINT);
    const item = JSON.stringify({ kind: "probe" });
    await bury(env.DB, { streamId: null, kind: "message", item, reason: "too often", createdAt: 2000 });
    const first = await request("/api/ops/dead-letters?limit=1");
    expect(first.body).toEqual({
      dead_letters: [
        {
          id: expect.any(Number),
          trial: null,
          trial_id: null,
          model_run_id: null,
          kind: "message",
          state: "open",
          item: { kind: "probe" },
          reason: "too often",
          mlflow_status: null,
          mlflow_code: null,
          created_at: "1970-01-01T00:00:02.000Z",
          settled_at: null,
        },
      ],
      next_cursor: expect.any(String),
    });
    const { next_cursor } = list.parse(first.body);
    const second = await request(`/api/ops/dead-letters?limit=1&cursor=${next_cursor}`);
    expect(second.body).toMatchObject({
      dead_letters: [
        {
          trial: await idOf("t1"),
          trial_id: "t1",
          model_run_id: "study",
          kind: "metric",
          item: POINT,
          reason: REASON,
          mlflow_status: 400,
          mlflow_code: "INVALID_PARAMETER_VALUE",
        },
      ],
      next_cursor: null,
    });
    expect((await request(`/api/trials/${await idOf("t1")}`)).body).toMatchObject({
      counts: { dead_letters: 1 },
    });
    expect((await request(path)).body).toMatchObject({ item: POINT, delivery: { sync_state: "synced" } });
  });

  it("are found by state, kind, trial, model run, key and a part of the reason", async () => {
    await buried("metric", POINT);
    await buried("param", { key: "depth", value: "x" }, "t1", "Too LONG");
    await buried("tag", { key: "depth", value: "x" }, "t2");
    const [tag, param, point] = await listed("");
    expect(await listed("?kind=param")).toEqual([param]);
    expect(await listed("?trial_id=t2")).toEqual([tag]);
    expect(await listed("?model_run_id=study&key=depth")).toEqual([tag, param]);
    expect(await listed("?reason=too%20long")).toEqual([param]);
    expect(await listed("?model_run_id=other")).toEqual([]);
    await ask(`/api/ops/dead-letters/${point}/drop`);
    expect(await listed("")).toEqual([tag, param]);
    expect(await listed("?state=dropped")).toEqual([point]);
  });

  it.each([
    ["?state=dead", "state", "must be one of open, replayed, dropped"],
    ["?kind=poke", "kind", "must be one of metric, param, tag, status, message"],
    ["?key=", "key", "must not be empty"],
    ["?trial=t1", "query parameter", "must be one of"],
  ])("are not listed by %s", async (query, field, rule) => {
    const { status, body } = await request(`/api/ops/dead-letters${query}`);
    expect(status).toBe(400);
    expect(body).toMatchObject({ errors: [{ field, rule: expect.stringContaining(rule) }] });
  });

  it.each(["0", "999999", "x", "1e3", "99999999999999999999"])("do not have the id %s", async (id) => {
    expect((await request(`/api/ops/dead-letters/${id}`)).status).toBe(404);
    expect((await ask(`/api/ops/dead-letters/${id}/replay`)).status).toBe(404);
    expect((await ask(`/api/ops/dead-letters/${id}/drop`)).status).toBe(404);
  });

  it("are an administrator's business", async () => {
    const path = await buried("metric", POINT);
    for (const [method, address] of [
      ["GET", path],
      ["POST", `${path}/replay`],
      ["POST", "/api/ops/dead-letters/drop"],
    ])
      expect((await request(address ?? "", { method: method ?? "", token: null })).status).toBe(401);
  });
});

describe("a replay", () => {
  const rows = async (query: string) => (await env.DB.prepare(query).all()).results;

  it("takes the item into a new event of the journal, which delivery has yet to send", async () => {
    const path = await buried("metric", POINT);
    const streamId = await streamOf("t1");
    const { status, body } = await ask(`${path}/replay`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      state: "replayed",
      settled_at: expect.stringMatching(/Z$/),
      delivery: { sync_state: "pending" },
    });
    expect(sent.trials.at(-1)).toMatchObject({ body: { kind: "poke", streamId }, delaySeconds: 0 });
    const [stream] = await rows(`select last_seq, delivered_seq, forced from streams where id = ${streamId}`);
    const [event] = await rows(`select seq, type, points from events where type = 'relay.replay'`);
    expect(stream).toMatchObject({ last_seq: event?.seq, forced: 1 });
    expect(event).toMatchObject({ type: "relay.replay", points: 1 });
    const points = `select step, seq from ${POINTS} where stream_id = ${streamId} order by step`;
    expect(await rows(points)).toMatchObject([{ step: 1, seq: event?.seq }, { step: 2 }]);
    await foldAll();
    const trial = await request(`/api/trials/${await idOf("t1")}`);
    expect(trial.body).toMatchObject({
      counts: { points: 2, dead_letters: 0 },
      metrics: { loss: { last: 2, count: 2, min: 1, max: 2 } },
    });
  });

  it("sends what an operator wrote in its place", async () => {
    const path = await buried("metric", POINT);
    const item = { key: "loss/fixed", value: "NaN", timestamp: "2025-01-01T00:00:01Z", step: 7 };
    expect((await ask(`${path}/replay`, { item })).body).toMatchObject({ state: "replayed", item: POINT });
    await foldAll();
    const trial = await request(`/api/trials/${await idOf("t1")}`);
    expect(trial.body).toMatchObject({
      metrics: {
        loss: { count: 1, last: 2 },
        "loss/fixed": { count: 1, last: "NaN", last_step: 7 },
      },
    });
    const points = await rows(`select key, step, timestamp, value from ${POINTS} where key <> 'loss'`);
    expect(points).toEqual([{ key: "loss/fixed", step: 7, timestamp: AT + 1000, value: "NaN" }]);
  });

  it("leaves a tag alone that has another value by now", async () => {
    const start = (note: string, minute: number) => ({
      event: "ml.trial.start",
      model_run_id: "study",
      trial_id: "t1",
      spectral_norm: true,
      metadata: { note },
      occurred_at: AT + minute * 60_000,
    });
    await post([start("old", 1), start("new", 2)]);
    await foldAll();
    const path = await buried("tag", { key: "metadata.note", value: "old" });
    expect((await ask(`${path}/replay`)).status).toBe(200);
    const [event] = await rows("select seq from events where type = 'relay.replay'");
    const [tag] = await rows("select value, seq from tags where key = 'metadata.note'");
    expect(tag).toMatchObject({ value: "new", seq: expect.not.toBeOneOf([event?.seq]) });
  });

  it("of a message is answered though the queue does not, and its letter stays open", async () => {
    const path = await buried("message", { kind: "poke", streamId: 1 });
    const silent = () => new Promise<never>(() => {});
    const TRIALS = { send: silent, sendBatch: silent };
    const init = { method: "POST", body: "{}", bindings: { TRIALS } };
    expect((await request(`${path}/replay`, init)).status).toBe(500);
    expect((await request(path)).body).toMatchObject({ state: "open" });
  });

  it("of a metric counts once though more was just being folded when it was sent again", async () => {
    const path = await buried("metric", POINT);
    await post([metric("t1", 3)]);
    const id = (await streamOf("t1")) ?? -1;
    const read = await env.DB.prepare("select folded_seq as at from streams where id = ?1")
      .bind(id)
      .first<number>("at");
    let isSent = false;
    const db = databaseAround(env.DB, async (parts, work) => {
      const writes = parts.some(({ sql }) => /^\s*insert into metric_summaries/.test(sql));
      if (writes && !isSent) await ask(`${path}/replay`);
      isSent ||= writes;
      return work();
    });
    await foldStream({ db, now: Date.now }, { id, kind: "trial", foldedSeq: read ?? 0 });
    await foldAll();
    expect((await request(`/api/trials/${await idOf("t1")}`)).body).toMatchObject({
      counts: { points: 3, dead_letters: 0 },
      metrics: { loss: { count: 3 } },
    });
  });

  it("does not count as the trainer's voice", async () => {
    const path = await buried("metric", POINT);
    const heard = "select heard_at, core from streams s join trials t on t.id = s.id where s.trial_id = 't1'";
    const before = await rows(heard);
    await ask(`${path}/replay`);
    await foldAll();
    expect(await rows(heard)).toEqual(before);
  });

  it("is done once; refused again by MLflow, the letter is open again, but not one that was dropped", async () => {
    const path = await buried("metric", POINT);
    const answers = await Promise.all([ask(`${path}/replay`), ask(`${path}/replay`)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect(await rows("select count(*) as n from events where type = 'relay.replay'")).toEqual([{ n: 1 }]);
    expect((await ask(`${path}/drop`)).body).toMatchObject({
      error: "conflict",
      detail: expect.stringContaining("is replayed and cannot be dropped"),
    });
    await buried("metric", POINT, "t1", "no again");
    expect((await request(path)).body).toMatchObject({ state: "open", reason: "no again", settled_at: null });
    expect((await ask(`${path}/drop`)).body).toMatchObject({ state: "dropped" });
    await buried("metric", POINT, "t1", "once more");
    expect((await request(path)).body).toMatchObject({ state: "dropped", reason: "no again" });
    expect((await ask(`${path}/replay`)).body).toMatchObject({ state: "replayed" });
  });

  it.each([
    ["metric", { ...POINT, key: "a//b" }, "item.key", "must be a normal path"],
    ["metric", { ...POINT, key: "" }, "item.key", "must not be empty"],
    ["metric", { ...POINT, value: "big" }, "item.value", "must be a number"],
    ["metric", { ...POINT, step: 1.5 }, "item.step", "must be an integer"],
    ["metric", { ...POINT, timestamp: -1 }, "item.timestamp", "must be an ISO 8601 time"],
    ["metric", { key: "loss", value: 1, step: 1 }, "item.timestamp", "is required"],
    ["metric", { ...POINT, unit: "m" }, "item.unit", "is not a field of a metric"],
    ["param", { key: "depth", value: "x".repeat(6001) }, "item.value", "at most 6000 characters"],
    ["param", { key: "depth", value: 3 }, "item.value", "must be a string"],
    ["tag", { key: "depth", value: "a\0b" }, "item.value", "without NUL"],
  ] as const)("of an edited %s is refused where ingest would: %j", async (kind, item, field, rule) => {
    const path = await buried(kind, { ...POINT });
    const { status, body } = await ask(`${path}/replay`, { item });
    expect(status).toBe(422);
    expect(body).toMatchObject({
      error: "invalid_item",
      errors: [{ field, rule: expect.stringContaining(rule) }],
    });
    expect((await request(path)).body).toMatchObject({ state: "open" });
  });

  it.each([
    ["[]", "body"],
    ["{", "body"],
    ['{"item": 3}', "item"],
    ['{"metric": {}}', "metric"],
  ])("is not asked for with %s", async (text, field) => {
    const path = await buried("metric", POINT);
    const { status, body } = await ask(`${path}/replay`, text);
    expect([status, body]).toMatchObject([400, { errors: [{ field }] }]);
  });

  it("of a message pokes its trial, and cannot be edited", async () => {
    const streamId = await streamOf("t1");
    const item = JSON.stringify({ kind: "poke", streamId });
    await bury(env.DB, { streamId, kind: "message", item, reason: "too often", createdAt: 1 });
    const id = await env.DB.prepare("select max(id) as id from dead_letters").first<number>("id");
    const path = `/api/ops/dead-letters/${id}`;
    expect((await ask(`${path}/replay`, { item: {} })).status).toBe(422);
    expect((await ask(`${path}/replay`)).body).toMatchObject({ state: "replayed" });
    expect(sent.trials.at(-1)).toMatchObject({ body: { kind: "poke", streamId } });
  });
});

describe("in bulk", () => {
  const bulk = (action: string, filter: object, dry_run = false) =>
    ask(`/api/ops/dead-letters/${action}`, { filter, dry_run });

  beforeEach(async () => {
    await buried("metric", POINT);
    await buried("metric", { ...POINT, step: 2, value: 2 });
    await buried("metric", POINT, "t2");
  });

  it("a dry run tells what would be done, and does nothing", async () => {
    const { status, body } = await bulk("replay", { trial_id: "t1" }, true);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      action: "replay",
      dry_run: true,
      matching: 2,
      count: 2,
      more: false,
      sample: [
        { kind: "metric", item: POINT },
        { kind: "metric", item: { step: 2 } },
      ],
    });
    expect(await listed("")).toHaveLength(3);
  });

  it("letters of one trial share an event", async () => {
    expect((await bulk("replay", { key: "loss" })).body).toMatchObject({ count: 3, more: false });
    expect(await listed("")).toEqual([]);
    const { results } = await env.DB.prepare(
      "select points from events where type = 'relay.replay' order by points",
    ).all();
    expect(results).toEqual([{ points: 1 }, { points: 2 }]);
    await foldAll();
    const trial = await request(`/api/trials/${await idOf("t1")}`);
    expect(trial.body).toMatchObject({ metrics: { loss: { count: 2 } } });
  });

  it("drops by the same filters", async () => {
    expect((await bulk("drop", { trial_id: "t2" })).body).toMatchObject({ action: "drop", count: 1 });
    expect(await listed("?state=dropped")).toHaveLength(1);
    expect(await listed("")).toHaveLength(2);
  });

  it("is bounded, and says when there is more", async () => {
    await env.DB.prepare(
      `with recursive n(i) as (select 1 union all select i + 1 from n where i < 600)
       insert into dead_letters (stream_id, kind, item, reason, created_at)
       select (select id from streams where trial_id = 't2'), 'param',
         json_object('key', 'p' || i, 'value', 'v'), 'many', 1 from n`,
    ).run();
    const answer = { matching: 600, count: 500, more: true };
    expect((await bulk("replay", { reason: "many" }, true)).body).toMatchObject(answer);
    expect((await bulk("replay", { reason: "many" })).body).toMatchObject(answer);
    expect((await bulk("drop", { reason: "many" })).body).toMatchObject({ count: 100, more: false });
  });

  it.each([
    [{}, "filter", "is required"],
    [{ filter: { state: "open" } }, "filter.state", "is not a field"],
    [{ filter: { kind: "poke" } }, "filter.kind", "must be one of"],
    [{ filter: {}, dry_run: "yes" }, "dry_run", "must be true or false"],
  ])("is not asked for with %j", async (body, field, rule) => {
    const answer = await ask("/api/ops/dead-letters/drop", body);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ errors: [{ field, rule: expect.stringContaining(rule) }] });
    expect(await listed("")).toHaveLength(3);
  });
});
