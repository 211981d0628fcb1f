import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { drive } from "../../src/relay/delivery/drive.ts";
import { foldAll, idOf, post, request, sent } from "./api.ts";
import { FakeMlflow } from "./fake-mlflow.ts";
import { metric } from "./payloads.ts";

const REASON = "gone: The run abc must be in the 'active' state. Current state is deleted.";

const start = (trial_id: string) => ({
  event: "ml.trial.start",
  model_run_id: "study",
  trial_id,
  spectral_norm: true,
});

const BLOCK = { blocked_kind: "gone_run", blocked_on: "abc", blocked_reason: REASON };

const block = (condition: string) =>
  env.DB.prepare(
    `update streams set blocked_kind = ?1, blocked_on = ?2, blocked_reason = ?3 where ${condition}`,
  )
    .bind(...Object.values(BLOCK))
    .run();

const unblock = (id: string, body: unknown, of = "trials") =>
  request(`/api/ops/${of}/${id}/unblock`, { method: "POST", body: JSON.stringify(body) });

beforeEach(async () => {
  await post([start("b1"), start("b2")]);
  await foldAll();
  await env.DB.prepare(
    "update streams set blocked_kind = null, blocked_on = null, blocked_reason = null",
  ).run();
});

afterEach(() => {
  vi.restoreAllMocks();
});

describe("blocked", () => {
  it("trials and model runs are listed with their reasons", async () => {
    await block("trial_id = 'b1' or kind = 'model_run'");
    const trial = {
      kind: "trial",
      trial: await idOf("b1"),
      trial_id: "b1",
      model_run_id: "study",
      ...BLOCK,
      forgotten: false,
      experiment_name: null,
      mlflow_experiment_id: null,
      mlflow_run_id: null,
      undelivered_events: expect.any(Number),
    };
    const run = { ...trial, kind: "model_run", trial: null, trial_id: null, undelivered_events: 0 };
    const { body } = await request("/api/ops/blocked");
    expect(body).toEqual({ blocked: expect.arrayContaining([trial, run]), next_cursor: null });
    expect((await request("/api/ops/blocked?kind=model_run")).body).toMatchObject({ blocked: [run] });
    expect((await request("/api/ops/blocked?model_run_id=other")).body).toMatchObject({ blocked: [] });
    const page = await request("/api/ops/blocked?limit=1");
    expect(page.body).toMatchObject({ blocked: [{}], next_cursor: expect.any(String) });
  });

  it("a forgotten one is out of the list, stays blocked, and can be found", async () => {
    await block("trial_id = 'b1'");
    const id = await idOf("b1");
    const dry = await unblock(id, { action: "forget", dry_run: true });
    expect(dry.body).toMatchObject({ dry_run: true, changes: [{ change: "forget" }] });
    expect((await request("/api/ops/blocked")).body).toMatchObject({ blocked: [{ trial: id }] });
    const { status, body } = await unblock(id, { action: "forget" });
    expect([status, body]).toEqual([
      200,
      {
        trial: id,
        trial_id: "b1",
        model_run_id: "study",
        action: "forget",
        dry_run: false,
        ...BLOCK,
        changes: [{ change: "forget" }],
      },
    ]);
    expect((await request("/api/ops/blocked")).body).toMatchObject({ blocked: [] });
    expect((await request("/api/ops/blocked?forgotten=true")).body).toMatchObject({
      blocked: [
        { trial: id, forgotten: true, blocked_kind: "forgotten", blocked_reason: `forgotten: ${REASON}` },
      ],
    });
    expect((await request(`/api/trials/${id}`)).body).toMatchObject({ sync_state: "blocked" });
    expect(await unblock(id, { action: "forget" })).toMatchObject({
      status: 409,
      body: { detail: "It is forgotten already." },
    });
  });

  it("forgetting a model run wakes the trials that wait for it", async () => {
    await block("kind = 'model_run'");
    await env.DB.prepare(
      "update streams set waiting_for = 'parent', next_attempt_at = 9e15 where trial_id = 'b2'",
    ).run();
    expect((await unblock("study", { action: "forget" }, "model-runs")).body).toMatchObject({
      trial: null,
      model_run_id: "study",
      changes: [{ change: "forget" }],
    });
    const b2 = await env.DB.prepare("select id, next_attempt_at from streams where trial_id = 'b2'").first();
    expect(b2).toMatchObject({ next_attempt_at: 0 });
    expect(sent.trials).toContainEqual({ body: { kind: "poke", streamId: b2?.id }, delaySeconds: 0 });
  });

  it("is no condition where MLflow has lost the run of a trial that has nothing left to deliver", async () => {
    const mlflow = new FakeMlflow();
    const deps = mlflow.deps({ RELAY_ANNOUNCE_GRACE_SECONDS: "0", RELAY_PARENT_RUNS: "false" });
    vi.stubGlobal("fetch", mlflow.fetch);
    await post([
      metric("lost", { step: 1, metrics: { loss: 1 } }),
      metric("lost", { step: 2, metrics: { loss: 2 } }),
    ]);
    const id = await idOf("lost");
    const stream = await env.DB.prepare("select id from streams where key = ?1").bind(id).first<number>("id");
    await drive(deps, stream ?? 0);
    expect(await unblock(id, { action: "recreate" })).toMatchObject({
      status: 409,
      body: { detail: "It is not blocked." },
    });
    const [[lost = ""] = []] = [...mlflow.runs];
    // As where its database was set back.
    mlflow.runs.clear();
    const asked = await request("/api/ops/backfill", { method: "POST", body: JSON.stringify({ id }) });
    expect(asked.body).toMatchObject({
      results: [{ reason: "its run is deleted in MLflow: restore or recreate it first" }],
    });
    expect(await unblock(id, { action: "restore" })).toMatchObject({ status: 409 });
    expect(await unblock(id, { action: "forget" })).toMatchObject({ status: 409 });
    expect(await unblock(id, { action: "recreate" })).toMatchObject({
      status: 200,
      body: {
        blocked_kind: "gone_run",
        blocked_on: lost,
        changes: [{ change: "new_run" }, { change: "deliver" }],
      },
    });
    await drive(deps, stream ?? 0);
    vi.unstubAllGlobals();
    expect([...mlflow.runs.values()].map(({ metrics }) => metrics.map(({ step }) => step))).toEqual([[1, 2]]);
  });

  it("is refused where nothing is blocked, and gives the lease back", async () => {
    const id = await idOf("b2");
    for (const action of ["restore", "recreate", "forget"])
      expect(await unblock(id, { action })).toMatchObject({
        status: 409,
        body: { error: "conflict", detail: "It is not blocked." },
      });
    const lease = await env.DB.prepare("select lease_token from streams where trial_id = 'b2'").first();
    expect(lease).toEqual({ lease_token: null });
  });

  it("is put off while a turn has the trial, and while MLflow does not answer", async () => {
    await block("trial_id = 'b1'");
    await env.DB.prepare(
      "update streams set lease_token = 'x', lease_until = 9e15 where trial_id = 'b1'",
    ).run();
    const id = await idOf("b1");
    const busy = await unblock(id, { action: "forget" });
    expect([busy.status, busy.headers.get("retry-after")]).toEqual([503, "5"]);
    await env.DB.prepare(
      "update streams set lease_token = null, lease_until = 0, mlflow_run_id = 'abc' where trial_id = 'b1'",
    ).run();
    vi.spyOn(globalThis, "fetch").mockRejectedValue(new Error("no route to host"));
    const { status, body } = await unblock(id, { action: "restore" });
    expect([status, body]).toMatchObject([
      503,
      { error: "unavailable", detail: expect.stringContaining("MLflow cannot be asked just now") },
    ]);
    expect((await request(`/api/trials/${id}`)).body).toMatchObject({ blocked_reason: REASON });
  });

  it.each([
    [{}, "action", "is required"],
    [{ action: "retry" }, "action", "must be one of restore, recreate, forget"],
    [{ action: "forget", dry_run: 1 }, "dry_run", "must be true or false"],
    [{ action: "forget", dryrun: true }, "dryrun", "is not a field of this request"],
  ])("is not asked for with %j", async (body, field, rule) => {
    const answer = await unblock(await idOf("b1"), body);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ errors: [{ field, rule }] });
  });

  it("is an administrator's business, about trials that are known", async () => {
    expect((await unblock("unknown", { action: "forget" })).status).toBe(404);
    expect((await unblock("unknown", { action: "forget" }, "model-runs")).status).toBe(404);
    expect((await request("/api/ops/blocked", { token: null })).status).toBe(401);
  });
});
