import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { app } from "../../src/app.ts";
import { drive } from "../../src/relay/delivery/drive.ts";
import { verifyStream } from "../../src/relay/repair/verify.ts";
import { foldStream } from "../../src/relay/stream/fold.ts";
import { ADMIN, idOf, post, request } from "./api.ts";
import { FakeMlflow } from "./fake-mlflow.ts";

const ALONE = { RELAY_ANNOUNCE_GRACE_SECONDS: "0", RELAY_PARENT_RUNS: "false" };
let count = 0;

/** A trial of a study of its own, folded and delivered once, with more to come. */
async function world() {
  const mlflow = new FakeMlflow();
  const deps = mlflow.deps(ALONE);
  const ids = { model_run_id: `broken-${++count}`, trial_id: `broken-${count}` };
  await post({
    event: "ml.trial.start",
    ...ids,
    spectral_norm: true,
    run_name: "named",
    parameters: { lr: 1 },
  });
  const id = await idOf(ids.trial_id);
  const find = env.DB.prepare("select id from streams where key = ?1").bind(id);
  const streamId = (await find.first<number>("id")) ?? 0;
  await drive(deps, streamId);
  const [run] = mlflow.runs.values();
  if (!run) throw new Error("no run was made");
  await post({ event: "ml.run.metric", ...ids, step: 1, metrics: { loss: 1 }, metadata: { host: "n1" } });
  const stream = async () =>
    env.DB.prepare("select blocked_kind as kind, blocked_on as stage, attempts from streams where id = ?1")
      .bind(streamId)
      .first<{ kind: string | null; stage: string | null; attempts: number }>();
  return {
    mlflow,
    deps,
    run,
    ids,
    streamId,
    stream,
    drive: () => drive(deps, streamId),
    trial: async () => await request(`/api/trials/${id}`),
    run_sql: (sql: string) => env.DB.prepare(sql).bind(streamId).run(),
    blocked: async () => {
      const { body } = await request(`/api/ops/blocked?model_run_id=${ids.model_run_id}`);
      return z.object({ blocked: z.array(z.object({}).loose()) }).parse(body).blocked;
    },
    unblock: (action: string) =>
      request(`/api/ops/trials/${id}/unblock`, { method: "POST", body: JSON.stringify({ action }) }),
  };
}

const LAST = "where seq = (select max(seq) from events where stream_id = ?1)";
const DEEP = `${"[".repeat(2_500)}${"]".repeat(2_500)}`;

/** What the relay may find in its own database. */
const broken = [
  { name: "an event that is no JSON", sql: `update events set facts = '{' ${LAST}`, part: "events" },
  {
    name: "an event of another shape",
    sql: `update events set facts = '{"ends":"sunk"}' ${LAST}`,
    part: "events",
  },
  {
    name: "an event that is too deep",
    sql: `update events set facts = '{"fields":{"a":${DEEP}}}' ${LAST}`,
    part: "events",
  },
  { name: "a record that is no JSON", sql: "update trials set core = '{' where id = ?1", part: "record" },
  { name: "a record of another shape", sql: "update trials set core = '{}' where id = ?1", part: "record" },
] as const;

describe.each(broken)("a trial with $name", ({ sql, part }) => {
  it("is blocked with that reason, counted, and shown as far as it can be", async () => {
    const w = await world();
    await w.run_sql(sql);
    await w.drive();
    expect(await w.stream()).toMatchObject({ kind: "unreadable", stage: "folding" });
    expect(await w.blocked()).toMatchObject([
      {
        trial_id: w.ids.trial_id,
        blocked_kind: "unreadable",
        blocked_reason: expect.stringContaining("folding"),
      },
    ]);
    const { status, body } = await w.trial();
    expect(status).toBe(200);
    expect(body).toMatchObject({
      status: "running",
      run_name: "named",
      sync_state: "blocked",
      parameters: { lr: "1" },
      unreadable: { part, reason: expect.any(String) },
    });
    const metrics = await app.request(
      "/metrics",
      { headers: { authorization: `Bearer ${ADMIN}` } },
      { ...env, TRIALS: {}, JOBS: {}, FILES: {} },
      createExecutionContext(),
    );
    expect(await metrics.text()).toMatch(/relay_streams_blocked\{blocked_kind="unreadable"\} [1-9]/);
    for (const path of [`trials?model_run_id=${w.ids.model_run_id}`, `model-runs/${w.ids.model_run_id}`])
      expect((await request(`/api/${path}`)).status).toBe(200);
  });

  it("goes on by itself once it can be read again", async () => {
    const w = await world();
    const before = await env.DB.prepare(
      "select (select core from trials where id = ?1) as core, (select facts from events where stream_id = ?1 order by seq desc limit 1) as facts",
    )
      .bind(w.streamId)
      .first<{ core: string; facts: string }>();
    await w.run_sql(sql);
    await w.drive();
    await env.DB.batch([
      env.DB.prepare("update trials set core = ?2 where id = ?1").bind(w.streamId, before?.core ?? null),
      env.DB.prepare(`update events set facts = ?2 ${LAST}`).bind(w.streamId, before?.facts ?? null),
    ]);
    await w.drive();
    expect(await w.stream()).toMatchObject({ kind: null });
    expect(w.run.metrics).toHaveLength(1);
    expect((await w.trial()).body).toMatchObject({ sync_state: "synced", unreadable: null });
  });
});

it("what the relay was to send, and cannot read, blocks only its own trial", async () => {
  const w = await world();
  w.mlflow.trouble = (endpoint) => (endpoint === "runs/log-batch" ? "refused" : null);
  await w.drive();
  await w.run_sql("update streams set sending_items = '{' where id = ?1 and sending_items is not null");
  await w.run_sql("update batches set items = '{' where stream_id = ?1");
  await w.run_sql("update streams set next_attempt_at = 0 where id = ?1");
  w.mlflow.trouble = () => null;
  const other = await world();
  await w.drive();
  await other.drive();
  expect(await w.stream()).toMatchObject({ kind: "unreadable", stage: "delivery" });
  expect(other.run.metrics).toHaveLength(1);
});

it("a trial that cannot be read can be given up, and tried again", async () => {
  const w = await world();
  await w.run_sql("update trials set core = '{' where id = ?1");
  await w.drive();
  expect((await w.unblock("recreate")).status).toBe(409);
  expect((await w.unblock("restore")).body).toMatchObject({ changes: [{ change: "deliver" }] });
  await w.drive();
  expect(await w.stream()).toMatchObject({ kind: "unreadable" });
  expect((await w.unblock("forget")).status).toBe(200);
  expect(await w.stream()).toMatchObject({ kind: "forgotten" });
  await w.drive();
  expect(await w.stream()).toMatchObject({ kind: "forgotten" });
});

it("a trial that cannot be read is not verified, and that is said", async () => {
  const w = await world();
  await w.run_sql("update trials set core = '{' where id = ?1");
  await w.run_sql("update streams set sent_state = '{' where id = ?1");
  expect(await verifyStream(w.deps, w.streamId)).toMatchObject({ kind: "unreadable" });
});

it("a database that is busy for a while blocks nothing", async () => {
  const w = await world();
  const busy = { ...w.deps, db: failing("D1_ERROR: D1 DB is overloaded. Requests queued for too long.") };
  for (let i = 0; i < 3; i++) {
    await env.DB.prepare("update streams set next_attempt_at = 0 where id = ?1").bind(w.streamId).run();
    await drive(busy, w.streamId);
  }
  expect(await w.stream()).toEqual({ kind: null, stage: null, attempts: 3 });
  await env.DB.prepare("update streams set next_attempt_at = 0 where id = ?1").bind(w.streamId).run();
  await w.drive();
  expect(w.run.metrics).toHaveLength(1);
});

/** The database, which fails when points are read to be folded. */
function failing(message: string): D1Database {
  return new Proxy(env.DB, {
    get: (db, name) => {
      if (name !== "prepare") return Reflect.get(db, name).bind(db);
      return (sql: string) => {
        if (sql.includes("select key, points from chunk")) throw new Error(message);
        return db.prepare(sql);
      };
    },
  });
}

it("trials of a model run that cannot be read wait for it, and are not blocked for it", async () => {
  const mlflow = new FakeMlflow();
  const deps = mlflow.deps({ RELAY_ANNOUNCE_GRACE_SECONDS: "0" });
  const ids = { model_run_id: `parent-${++count}` };
  await post([
    { event: "ml.run.start", ...ids, requested_trials: 1, search_space_version: 1 },
    { event: "ml.trial.start", ...ids, trial_id: "child", spectral_norm: true },
  ]);
  const { results } = await env.DB.prepare("select id, kind from streams where model_run_id = ?1")
    .bind(ids.model_run_id)
    .all<{ id: number; kind: "trial" | "model_run" }>();
  const [parent, child] = ["model_run", "trial"].map(
    (kind) => results.find((row) => row.kind === kind)?.id ?? 0,
  );
  if (parent === undefined || child === undefined) throw new Error("no streams");
  await env.DB.prepare("update model_runs set core = '{' where id = ?1").bind(parent).run();
  await drive(deps, child);
  await drive(deps, parent);
  const state = env.DB.prepare(
    "select blocked_kind as kind, waiting_for as waiting from streams where id = ?1",
  );
  expect(await state.bind(parent).first()).toEqual({ kind: "unreadable", waiting: null });
  expect(await state.bind(child).first()).toEqual({ kind: null, waiting: "parent" });
  await env.DB.prepare("update model_runs set core = null where id = ?1").bind(parent).run();
  await foldStream(deps, { id: parent, kind: "model_run", foldedSeq: 0 });
});
