import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import * as z from "zod";
import { recordConflicts } from "../../src/store/mirror/conflicts.ts";
import type { conflicts } from "../../src/store/schema/index.ts";
import { readFacts } from "../../src/store/stream/columns.ts";
import { foldAll, idOf, post, request } from "./api.ts";
import { start } from "./payloads.ts";

type Row = typeof conflicts.$inferInsert;

const RUN = "a".repeat(32);
const DOUBLE = "b".repeat(32);
const OTHER = "c".repeat(32);

/** The trial of an id of its own, so that tests do not meet, with a run in MLflow. */
async function trialWithRun(trialId: string, more: object = {}) {
  await post(start(trialId, { occurred_at: 1_700_000_000_000, ...more }));
  await foldAll();
  const key = await idOf(trialId);
  const streamId = await env.DB.prepare("select id from streams where key = ?1")
    .bind(key)
    .first<number>("id");
  if (streamId === null) throw new Error("no stream");
  return { key, streamId };
}

const merged = (streamId: number, more: Partial<Row>): Row => ({
  streamId,
  kind: "tag",
  field: "team",
  kept: "here",
  refused: "there",
  source: "mlflow",
  createdAt: 1_700_000_000_000,
  base: "before",
  relayValue: "here",
  mlflowValue: "there",
  decision: "relay",
  ...more,
});

/** Records it, and gives its number. */
async function conflicting(row: Row): Promise<number> {
  await recordConflicts(env.DB, [row]);
  const id = await env.DB.prepare("select max(id) as id from conflicts").first<number>("id");
  return id ?? 0;
}

const resolve = (id: number | string, body: object, token?: string) =>
  request(`/api/ops/conflicts/${id}/resolve`, {
    method: "POST",
    body: JSON.stringify(body),
    ...(token === undefined ? {} : { token }),
  });
const bulk = (body: object) =>
  request("/api/ops/conflicts/resolve", { method: "POST", body: JSON.stringify(body) });

/** What the relay itself has said of a stream. */
async function said(streamId: number) {
  const { results } = await env.DB.prepare(
    "select type, facts, occurred_at as at from events where stream_id = ?1 and type like 'relay.%' order by seq",
  )
    .bind(streamId)
    .all<{ type: string; facts: string; at: number }>();
  return results.map(({ type, facts, at }) => ({ type, at, facts: readFacts(facts) }));
}

const trialNow = async (key: string) => (await request(`/api/trials/${key}`)).body;

async function tokenWith(scope: string): Promise<string> {
  const { body } = await request("/api/ops/tokens", {
    method: "POST",
    body: JSON.stringify({ name: scope, scopes: [scope] }),
  });
  return z.object({ token: z.string() }).parse(body).token;
}

describe("the list of conflicts", () => {
  it("shows base, both values and the decision, and filters", async () => {
    const { key, streamId } = await trialWithRun("listed");
    const id = await conflicting(merged(streamId, {}));
    const other = await conflicting(merged(streamId, { kind: "name", field: "run_name" }));
    const query = (more: string) => request(`/api/ops/conflicts?trial_id=listed&${more}`);
    const tagged = (await query("kind=tag&state=open&model_run_id=m")).body;
    expect(tagged).toEqual({
      conflicts: [
        {
          id,
          kind: "tag",
          field: "team",
          kept: "here",
          refused: "there",
          source: "mlflow",
          event_id: null,
          base: "before",
          relay_value: "here",
          mlflow_value: "there",
          decision: "relay",
          state: "open",
          resolution: null,
          created_at: "2023-11-14T22:13:20.000Z",
          resolved_at: null,
          trial: key,
          trial_id: "listed",
          model_run_id: "m",
        },
      ],
      next_cursor: null,
    });
    expect((await query("state=resolved")).body).toMatchObject({ conflicts: [] });
    expect((await query("model_run_id=else")).body).toMatchObject({ conflicts: [] });
    expect((await query("limit=1")).body).toMatchObject({ conflicts: [{ id: other }] });
    expect((await request(`/api/ops/conflicts/${id}`)).body).toMatchObject({ id, field: "team" });
    expect((await request("/api/ops/conflicts/999999")).status).toBe(404);
    expect((await request("/api/ops/conflicts?kind=unheard")).status).toBe(400);
  });

  it("is read with the scope read, and resolved with admin", async () => {
    const { streamId } = await trialWithRun("scoped");
    const id = await conflicting(merged(streamId, {}));
    const token = await tokenWith("read");
    expect((await request(`/api/ops/conflicts/${id}`, { token })).status).toBe(200);
    expect((await resolve(id, { take: "relay" }, token)).status).toBe(403);
    expect((await request(`/api/ops/conflicts/${id}`)).body).toMatchObject({ state: "open" });
  });
});

describe("resolving one", () => {
  it.each([
    ["relay", "here"],
    ["mlflow", "there"],
  ])("with %s makes its tag the truth, though the trainer's clock is ahead", async (take, value) => {
    const ahead = Date.now() + 3_600_000;
    const trialId = `tag-${take}`;
    const { key, streamId } = await trialWithRun(trialId, { occurred_at: ahead, metadata: { team: "mine" } });
    const id = await conflicting(merged(streamId, { field: "metadata.team" }));
    const { status, body } = await resolve(id, { take });
    expect([status, body]).toMatchObject([
      200,
      { id, state: "resolved", resolution: take, resolved_at: expect.stringMatching(/Z$/) },
    ]);
    const [event] = await said(streamId);
    expect(event).toMatchObject({ type: "relay.resolve", facts: { tags: { "metadata.team": value } } });
    expect(event?.at).toBeGreaterThan(ahead);
    expect(await trialNow(key)).toMatchObject({ tags: { "metadata.team": value } });
  });

  it("twice is a 409 that says what was decided", async () => {
    const { streamId } = await trialWithRun("twice");
    const id = await conflicting(merged(streamId, {}));
    expect((await resolve(id, { take: "mlflow" })).status).toBe(200);
    const { status, body } = await resolve(id, { take: "relay" });
    expect([status, body]).toMatchObject([
      409,
      { error: "conflict", detail: expect.stringContaining("by taking mlflow") },
    ]);
    expect(await said(streamId)).toHaveLength(1);
  });

  it("with the relay counts what MLflow had as agreed on, so that the next merge lets it pass", async () => {
    const { streamId } = await trialWithRun("agreed");
    const sent = { status: "RUNNING", endTime: null, runName: "old", statusTag: null, lostContactAt: null };
    await env.DB.batch([
      env.DB.prepare("update streams set sent_state = ?2 where id = ?1").bind(streamId, JSON.stringify(sent)),
      env.DB.prepare("insert into agreed values (?1, 'tag', 'gone', 'x')").bind(streamId),
    ]);
    await conflicting(merged(streamId, {}));
    await conflicting(merged(streamId, { field: "gone", mlflowValue: null, refused: "" }));
    await conflicting(merged(streamId, { kind: "name", field: "run_name" }));
    await bulk({ take: "relay", filter: { trial_id: "agreed" } });
    const { results } = await env.DB.prepare("select key, value from agreed where stream_id = ?1")
      .bind(streamId)
      .all();
    expect(results).toEqual([{ key: "team", value: "there" }]);
    const state = await env.DB.prepare("select sent_state from streams where id = ?1")
      .bind(streamId)
      .first<string>("sent_state");
    expect(JSON.parse(state ?? "")).toEqual({ ...sent, runName: "there" });
  });

  it("with a tag that is absent there takes it away", async () => {
    const { key, streamId } = await trialWithRun("absent", { metadata: { team: "mine" } });
    const id = await conflicting(
      merged(streamId, { field: "metadata.team", relayValue: "mine", mlflowValue: null, refused: "" }),
    );
    expect((await resolve(id, { take: "mlflow" })).status).toBe(200);
    const { tags } = z.looseObject({ tags: z.record(z.string(), z.unknown()) }).parse(await trialNow(key));
    expect(Object.keys(tags)).not.toContain("metadata.team");
  });

  it("of a name or a status changes the trial, and back again", async () => {
    const { key, streamId } = await trialWithRun("status", { run_name: "mine" });
    const name = await conflicting(
      merged(streamId, { kind: "name", field: "run_name", relayValue: "mine", mlflowValue: "theirs" }),
    );
    const status = { kind: "status", field: "status", relayValue: "RUNNING", mlflowValue: "FAILED" } as const;
    const ended = await conflicting(merged(streamId, { ...status, refused: "FAILED" }));
    await resolve(name, { take: "mlflow" });
    await resolve(ended, { take: "mlflow" });
    expect(await trialNow(key)).toMatchObject({ run_name: "theirs", status: "failed" });
    const again = await conflicting(
      merged(streamId, { ...status, relayValue: "FAILED", mlflowValue: "RUNNING", refused: "RUNNING" }),
    );
    await resolve(again, { take: "mlflow" });
    expect(await trialNow(key)).toMatchObject({ status: "running", ended_at: null });
  });

  it("of a parameter corrects it to what stands in MLflow, and cannot take the relay's", async () => {
    const { key, streamId } = await trialWithRun("param", { parameters: { lr: 2 } });
    const id = await conflicting(
      merged(streamId, {
        kind: "param",
        field: "lr",
        kept: "3",
        refused: "2",
        relayValue: "2",
        mlflowValue: "3",
      }),
    );
    expect(await resolve(id, { take: "relay" })).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining("MLflow cannot change a parameter") },
    });
    expect((await request(`/api/ops/conflicts/${id}`)).body).toMatchObject({ state: "open" });
    expect((await resolve(id, { take: "mlflow" })).status).toBe(200);
    expect(await trialNow(key)).toMatchObject({ parameters: { lr: "3" } });
  });

  it("is a 503 while nothing is kept, and the conflict stays open", async () => {
    const { streamId } = await trialWithRun("nowhere");
    const id = await conflicting(merged(streamId, {}));
    const TRIALS = { sendBatch: () => Promise.reject(new Error("Queue is overloaded")) };
    // Everything but the journal's writes works.
    const DB = {
      prepare: (query: string) => env.DB.prepare(query),
      batch: () => Promise.reject(new Error("D1_ERROR: overloaded")),
    };
    const { status, headers } = await request(`/api/ops/conflicts/${id}/resolve`, {
      method: "POST",
      body: JSON.stringify({ take: "relay" }),
      bindings: { TRIALS, DB },
    });
    expect([status, headers.get("retry-after")]).toEqual([503, "5"]);
    expect((await request(`/api/ops/conflicts/${id}`)).body).toMatchObject({ state: "open" });
    expect((await resolve(id, { take: "relay" })).status).toBe(200);
  });

  it.each([
    [{}, "take"],
    [{ take: "both" }, "take"],
    [{ take: "relay", force: true }, "force"],
  ])("is refused for %j", async (body, field) => {
    const { streamId } = await trialWithRun("refused");
    const id = await conflicting(merged(streamId, {}));
    expect(await resolve(id, body)).toMatchObject({ status: 400, body: { errors: [{ field }] } });
    expect(await resolve("unknown", { take: "relay" })).toMatchObject({ status: 404 });
  });
});

describe("a conflict that was resolved", () => {
  it("is open again when a merge meets it again, and an open one stays as it is", async () => {
    const { streamId } = await trialWithRun("again");
    const id = await conflicting(merged(streamId, {}));
    await recordConflicts(env.DB, [merged(streamId, { base: "later", createdAt: 1 })]);
    expect((await request(`/api/ops/conflicts/${id}`)).body).toMatchObject({ base: "before", state: "open" });
    await resolve(id, { take: "relay" });
    await recordConflicts(env.DB, [merged(streamId, { base: "later", decision: "mlflow" })]);
    expect((await request(`/api/ops/conflicts/${id}`)).body).toMatchObject({
      base: "later",
      decision: "mlflow",
      state: "open",
      resolution: null,
      resolved_at: null,
    });
  });

  it("stays so where every delivery finds it again", async () => {
    const { streamId } = await trialWithRun("settled");
    const row: Row = {
      streamId,
      kind: "run_id",
      field: "mlflow_run_id",
      kept: null,
      refused: RUN,
      source: "journal",
      createdAt: 1,
    };
    const id = await conflicting(row);
    expect(await resolve(id, { take: "relay" })).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining("can neither") },
    });
    expect((await resolve(id, { take: "mlflow" })).status).toBe(200);
    await recordConflicts(env.DB, [row]);
    expect((await request(`/api/ops/conflicts/${id}`)).body).toMatchObject({ state: "resolved" });
    expect(await said(streamId)).toEqual([]);
  });
});

describe("a second run of a trial", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  async function doubled(trialId: string) {
    const { streamId } = await trialWithRun(trialId);
    await env.DB.prepare("update streams set mlflow_run_id = ?2 where id = ?1")
      .bind(streamId, trialId === "double" ? RUN : OTHER)
      .run();
    return conflicting({
      streamId,
      kind: "double_run",
      field: "mlflow_run_id",
      kept: RUN,
      refused: DOUBLE,
      source: "mlflow",
      createdAt: 1,
    });
  }

  it("is deleted in MLflow for the relay", async () => {
    const calls: unknown[] = [];
    vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
      calls.push([new URL(url).pathname, init.body]);
      return Response.json({});
    });
    const id = await doubled("double");
    expect(await resolve(id, { take: "mlflow" })).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining("names it as mlflow_run_id") },
    });
    expect(await resolve(id, { take: "relay" })).toMatchObject({ status: 200, body: { state: "resolved" } });
    expect(calls).toEqual([["/api/2.0/mlflow/runs/delete", JSON.stringify({ run_id: DOUBLE })]]);
  });

  it("stays while MLflow is away, and when it has become a trial's own", async () => {
    const id = await doubled("double, away");
    vi.stubGlobal("fetch", async () =>
      Response.json({ error_code: "TEMPORARILY_UNAVAILABLE" }, { status: 503 }),
    );
    const away = await resolve(id, { take: "relay" });
    expect([away.status, away.headers.get("retry-after")]).toEqual([503, "5"]);
    const { streamId } = await trialWithRun("owner of the double");
    await env.DB.prepare("update streams set mlflow_run_id = ?2 where id = ?1").bind(streamId, DOUBLE).run();
    expect(await resolve(id, { take: "relay" })).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining("a trial's own run") },
    });
    await env.DB.prepare("update streams set mlflow_run_id = null where id = ?1").bind(streamId).run();
    expect((await request(`/api/ops/conflicts/${id}`)).body).toMatchObject({ state: "open" });
  });
});

describe("resolving many", () => {
  it("does what can be done, and says what not and why", async () => {
    const { key, streamId } = await trialWithRun("many");
    const lr = { kind: "param", field: "lr", relayValue: "1", mlflowValue: "2" } as const;
    const param = await conflicting(merged(streamId, lr));
    const older = await conflicting(merged(streamId, { relayValue: "first", refused: "1" }));
    const newer = await conflicting(merged(streamId, { relayValue: "second", refused: "2" }));
    const dry = await bulk({ take: "relay", filter: { trial_id: "many" }, dry_run: true });
    expect(dry.body).toMatchObject({ dry_run: true, matching: 3, done: [{ id: older }, { id: newer }] });
    expect(await said(streamId)).toEqual([]);
    const { status, body } = await bulk({ take: "relay", filter: { trial_id: "many", model_run_id: "m" } });
    const owner = { trial: key, trial_id: "many", model_run_id: "m" };
    expect([status, body]).toEqual([
      200,
      {
        take: "relay",
        dry_run: false,
        matching: 3,
        done: [
          { id: older, kind: "tag", field: "team", ...owner },
          { id: newer, kind: "tag", field: "team", ...owner },
        ],
        not_done: [
          {
            id: param,
            kind: "param",
            field: "lr",
            ...owner,
            reason: expect.stringContaining("cannot change a parameter"),
          },
        ],
        left: 0,
      },
    ]);
    expect(await trialNow(key)).toMatchObject({ tags: { team: "second" } });
  });

  it("takes so many at once and says how many are left, those that cannot be done last", async () => {
    const { streamId } = await trialWithRun("bounded");
    const rows = Array.from({ length: 205 }, (_, n) => merged(streamId, { field: `tag ${n}` }));
    await recordConflicts(env.DB, [merged(streamId, { kind: "param", field: "lr" }), ...rows]);
    const first = await bulk({ take: "relay", filter: { trial_id: "bounded" } });
    expect(first.body).toMatchObject({ matching: 206, left: 6, not_done: [] });
    const second = await bulk({ take: "relay", filter: { trial_id: "bounded" } });
    expect(second.body).toMatchObject({ matching: 6, left: 0, not_done: [{ field: "lr" }] });
    expect(await said(streamId)).toHaveLength(205);
  });

  it.each([
    [{ take: "relay" }, "filter"],
    [{ take: "relay", filter: {} }, "filter"],
    [{ take: "relay", filter: { all: false } }, "filter.all"],
    [{ take: "relay", filter: { ids: [] } }, "filter.ids"],
    [{ take: "relay", filter: { all: true, field: "x" } }, "filter.field"],
    [{ filter: { all: true } }, "take"],
  ])("is refused for %j", async (body, field) => {
    expect(await bulk(body)).toMatchObject({ status: 400, body: { errors: [{ field }] } });
  });

  it("takes all that are named by their numbers, and all there are", async () => {
    const { streamId } = await trialWithRun("all");
    const [a, b] = [
      await conflicting(merged(streamId, { field: "a" })),
      await conflicting(merged(streamId, { field: "b" })),
    ];
    expect((await bulk({ take: "mlflow", filter: { ids: [a] } })).body).toMatchObject({ done: [{ id: a }] });
    const { body } = await bulk({ take: "mlflow", filter: { all: true } });
    expect(body).toMatchObject({
      done: expect.arrayContaining([expect.objectContaining({ id: b })]),
      left: 0,
    });
  });
});
