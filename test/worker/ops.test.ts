import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import * as z from "zod";
import { NOTHING_DONE, storePass } from "../../src/store/ops/passes.ts";
import { foldAll, idOf, post, request } from "./api.ts";

const created = z.object({ id: z.string(), token: z.string() });

const makeToken = (body: unknown, token?: string) =>
  request("/api/ops/tokens", {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...(token === undefined ? {} : { token }),
  });

async function tokenWith(scopes: string[], more: object = {}) {
  const { status, body } = await makeToken({ name: scopes.join(" and "), scopes, ...more });
  expect(status, JSON.stringify(body)).toBe(201);
  return created.parse(body);
}

const METRIC = {
  event: "ml.run.metric",
  model_run_id: "study",
  trial_id: "t1",
  metric_name: "loss",
  metric_value: 1,
  step: 1,
};
const send = (token: string | null) =>
  request("/api/events/ml", {
    method: "POST",
    token,
    body: JSON.stringify(METRIC),
    headers: { "content-type": "application/json" },
  });

describe("tokens", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it("are shown once, then listed without their text or hash", async () => {
    const { status, body } = await makeToken({ name: "cerebros", scopes: ["ingest", "read", "ingest"] });
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.any(String),
      name: "cerebros",
      scopes: ["ingest", "read"],
      created_at: expect.stringMatching(/Z$/),
      expires_at: null,
      revoked_at: null,
      token: expect.stringMatching(/^tr_[\w-]{43}$/),
    });
    const { id, token } = created.parse(body);
    const list = await request("/api/ops/tokens");
    const stored = await env.DB.prepare("select hash from api_tokens where id = ?1")
      .bind(id)
      .first<string>("hash");
    expect(list.body).toMatchObject({ tokens: expect.arrayContaining([expect.objectContaining({ id })]) });
    expect(JSON.stringify(list.body)).not.toContain(token);
    expect(JSON.stringify(list.body)).not.toContain(stored);
    expect(stored).not.toContain(token);
  });

  it.each([
    ["ingest", 202, 403, 403],
    ["read", 403, 200, 403],
    ["admin", 202, 200, 200],
  ])("with the scope %s may do what it says and no more", async (scope, ingest, read, admin) => {
    const { token } = await tokenWith([scope]);
    const answers = [
      await send(token),
      await request("/api/trials", { token }),
      await request("/api/ops/breaker", { token }),
    ];
    expect(answers.map((answer) => answer.status)).toEqual([ingest, read, admin]);
    const needed = ["ingest", "read", "admin"];
    for (const [index, { status, body }] of answers.entries())
      if (status === 403)
        expect(body).toMatchObject({
          error: "forbidden",
          detail: `This needs a token with the scope '${needed[index]}'; this token has: ${scope}.`,
        });
  });

  it("work until they expire", async () => {
    const expiresAt = new Date(Date.now() + 60_000).toISOString();
    const { token } = await tokenWith(["read"], { expires_at: expiresAt });
    expect((await request("/api/trials", { token })).status).toBe(200);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.parse(expiresAt) + 5_001 });
    const { status, body } = await request("/api/trials", { token });
    expect([status, body]).toMatchObject([
      401,
      { error: "unauthenticated", detail: "The token is not known, has expired or was revoked." },
    ]);
  });

  it("work until they are revoked, which is for good", async () => {
    const { id, token } = await tokenWith(["read"]);
    expect((await request("/api/trials", { token })).status).toBe(200);
    const revoked = await request(`/api/ops/tokens/${id}`, { method: "DELETE" });
    expect(revoked).toMatchObject({ status: 200, body: { id, revoked_at: expect.stringMatching(/Z$/) } });
    const again = await request(`/api/ops/tokens/${id}`, { method: "DELETE" });
    expect(again.body).toEqual(revoked.body);
    // An isolate that has just used a token may take it for five seconds more.
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 5_001 });
    expect((await request("/api/trials", { token })).status).toBe(401);
    expect((await request("/api/ops/tokens/nothing", { method: "DELETE" })).status).toBe(404);
  });

  it.each([
    ["no token", null, "Send a token with the scope 'ingest' as 'Authorization: Bearer <token>'."],
    ["an unknown one", "tr_unknown", "The token is not known, has expired or was revoked."],
  ])("are asked for where there is %s", async (_, token, detail) => {
    const { status, headers, body } = await send(token);
    expect([status, body]).toMatchObject([401, { success: false, error: "unauthenticated", detail }]);
    expect(headers.get("www-authenticate")).toBe('Bearer realm="trial-relay"');
  });

  it("want the Bearer scheme", async () => {
    const headers = { authorization: "Basic dXNlcjpwYXNz" };
    const { status, body } = await request("/api/trials", { token: null, headers });
    expect([status, body]).toMatchObject([
      401,
      { detail: "The Authorization header must be 'Bearer <token>'." },
    ]);
  });

  it.each([
    [{ scopes: ["read"] }, "name", "is required"],
    [{ name: "", scopes: ["read"] }, "name", "must be a text of 1 to 100 characters"],
    [{ name: "  ", scopes: ["read"] }, "name", "must be a text of 1 to 100 characters"],
    [{ name: "x".repeat(101), scopes: ["read"] }, "name", "must be a text of 1 to 100 characters"],
    [{ name: 7, scopes: ["read"] }, "name", "must be a text of 1 to 100 characters"],
    [{ name: "a" }, "scopes", "is required"],
    [{ name: "a", scopes: [] }, "scopes", "must be a list of one or more of ingest, read, admin"],
    [{ name: "a", scopes: "read" }, "scopes", "must be a list of one or more of ingest, read, admin"],
    [{ name: "a", scopes: ["write"] }, "scopes", "must be a list of one or more of ingest, read, admin"],
    [{ name: "a", scopes: ["read"], expires_at: "2020-01-01T00:00:00Z" }, "expires_at", "in the future"],
    [{ name: "a", scopes: ["read"], expires_at: "2999-01-01" }, "expires_at", "must be an ISO 8601 time"],
    [{ name: "a", scopes: ["read"], expires_at: 4e12 }, "expires_at", "must be an ISO 8601 time"],
    [
      { name: "a", scopes: ["read"], expires: "2999-01-01T00:00:00Z" },
      "expires",
      "is not a field of a token",
    ],
    ["[]", "body", "must be a JSON object"],
    ["{", "body", "must be a JSON object"],
  ])("are not made of %j", async (body, field, rule) => {
    const answer = await makeToken(body);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({
      error: "invalid_request",
      errors: [{ field, rule: expect.stringContaining(rule) }],
    });
  });

  it("are an administrator's business", async () => {
    const { token } = await tokenWith(["ingest", "read"]);
    expect((await makeToken({ name: "mine", scopes: ["admin"] }, token)).status).toBe(403);
    expect((await request("/api/ops/tokens", { token })).status).toBe(403);
    expect((await request("/api/ops/tokens", { token: null })).status).toBe(401);
  });
});

describe("operations", () => {
  it("shows conflicts, the latest first, each with its trial", async () => {
    const start = (trial_id: string, lr: number) => ({
      event: "ml.trial.start",
      model_run_id: "study",
      trial_id,
      spectral_norm: true,
      parameters: { lr },
    });
    await post([start("c1", 1), start("c1", 2), start("c2", 1), start("c2", 3)]);
    await foldAll();
    const { body } = await request("/api/ops/conflicts?limit=1");
    const { next_cursor } = z.object({ next_cursor: z.string() }).parse(body);
    expect(body).toMatchObject({ conflicts: [{ trial_id: "c2", field: "lr", kept: "1", refused: "3" }] });
    expect((await request(`/api/ops/conflicts?limit=1&cursor=${next_cursor}`)).body).toMatchObject({
      conflicts: [
        { trial: await idOf("c1"), trial_id: "c1", model_run_id: "study", kind: "param", refused: "2" },
      ],
      next_cursor: null,
    });
  });

  it("shows the passes of the cron, the latest first", async () => {
    const report = { ...NOTHING_DONE, poked_trials: 3 };
    await storePass(env.DB, 1000, 2000, report);
    await storePass(env.DB, 3000, 4000, { ...report, error: "no database" });
    expect((await request("/api/ops/cron-passes?limit=1")).body).toMatchObject({
      cron_passes: [{ started_at: "1970-01-01T00:00:03.000Z", error: "no database" }],
    });
    expect((await request("/api/ops/cron-passes?cursor=x")).status).toBe(400);
  });

  it("shows the breaker, closed where nothing ever went wrong", async () => {
    const closed = {
      server: "http://mlflow.test",
      state: "closed",
      failures: 0,
      alarm: false,
      opened_at: null,
      next_probe_at: null,
      last_error: null,
    };
    expect((await request("/api/ops/breaker")).body).toEqual(closed);
    await env.DB.prepare(
      `insert into breakers (server, state, failures, opened_at, probe_at, alarm, last_error, updated_at)
       values ('http://mlflow.test', 'open', 5, 1000, 6000, 1, 'no route to host', 1000)`,
    ).run();
    expect((await request("/api/ops/breaker")).body).toEqual({
      server: "http://mlflow.test",
      state: "open",
      failures: 5,
      alarm: true,
      opened_at: "1970-01-01T00:00:01.000Z",
      next_probe_at: "1970-01-01T00:00:06.000Z",
      last_error: "no route to host",
    });
  });
});
