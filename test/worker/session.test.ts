import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { app } from "../../src/app.ts";
import { ADMIN, request } from "./api.ts";

const ORIGIN = "http://relay.test";
const SAME = { "sec-fetch-site": "same-origin" };

function send(path: string, init: RequestInit = {}, bindings: object = {}) {
  return app.request(path, init, { ...env, ...bindings }, createExecutionContext());
}

function signIn(
  token: string,
  { next = "/", origin = ORIGIN, headers = SAME as Record<string, string> } = {},
) {
  const body = new URLSearchParams({ token, next });
  return send(`${origin}/sign-in`, { method: "POST", body, headers });
}

async function cookieFor(token: string, origin = ORIGIN): Promise<string> {
  const set = (await signIn(token, { origin })).headers.get("set-cookie") ?? "";
  return set.split(";")[0] ?? "";
}

async function makeToken(scopes: string[], expires_at?: string): Promise<{ id: string; token: string }> {
  const made = await request("/api/ops/tokens", {
    method: "POST",
    body: JSON.stringify({ name: "of a test", scopes, expires_at }),
  });
  expect(made.status).toBe(201);
  return made.body as { id: string; token: string };
}

beforeEach(() => {
  vi.useRealTimers();
});

describe("signing in", () => {
  it("sets a cookie that no script reads and that says nothing of the token's text", async () => {
    const answer = await signIn(ADMIN);
    const set = answer.headers.get("set-cookie") ?? "";
    expect([answer.status, answer.headers.get("location")]).toEqual([303, "/"]);
    expect(set).toMatch(/^trial-relay-session=admin\.\d+\..*; HttpOnly; SameSite=Lax$/);
    expect(set).not.toContain(ADMIN);
  });

  it("binds the cookie to this host where there is https", async () => {
    const set = (await signIn(ADMIN, { origin: "https://relay.test" })).headers.get("set-cookie") ?? "";
    expect(set).toMatch(/^__Host-trial-relay-session=.*; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
  });

  it.each(["//evil.test", "/\\evil.test", "https://evil.test/", "/\t/evil.test", "javascript:alert(1)", ""])(
    "goes on to a page of this relay only, not to %j",
    async (next) => {
      const to = (await signIn(ADMIN, { next })).headers.get("location") ?? "";
      expect(new URL(to, ORIGIN).origin).toBe(ORIGIN);
    },
  );

  it("is refused with a wrong token, one that may not read, and for a page elsewhere", async () => {
    const { token } = await makeToken(["ingest"]);
    for (const [answer, status] of [
      [await signIn("wrong"), 401],
      [await signIn(token), 403],
      [
        await signIn(ADMIN, { headers: { "sec-fetch-site": "cross-site", origin: "https://evil.test" } }),
        403,
      ],
      [await signIn(ADMIN, { headers: { origin: "https://evil.test" } }), 403],
      [await signIn(ADMIN, { headers: {} }), 403],
      [await signIn("x".repeat(100_000)), 413],
    ] as const)
      expect([answer.status, answer.headers.get("set-cookie")]).toEqual([status, null]);
  });

  it("counts wrong guesses as a stranger's, and ends them", async () => {
    const guess = (limit: boolean) =>
      send(
        `${ORIGIN}/sign-in`,
        {
          method: "POST",
          body: new URLSearchParams({ token: "wrong" }),
          headers: { ...SAME, "cf-connecting-ip": "192.0.2.9" },
        },
        { STRANGER_LIMIT: { limit: async () => ({ success: limit }) } },
      );
    expect((await guess(true)).status).toBe(401);
    expect((await guess(false)).status).toBe(429);
    expect((await guess(true)).status).toBe(429);
  });
});

describe("a session", () => {
  const api = (cookie: string, init: RequestInit = {}, bindings: object = {}) =>
    send(`${ORIGIN}/api/ops/tokens`, { ...init, headers: { cookie, ...init.headers } }, bindings);
  const make = { method: "POST", body: JSON.stringify({ name: "made", scopes: ["read"] }) };
  const json = { "content-type": "application/json" };

  it("opens the API as its token does, and changes things from the relay's own pages only", async () => {
    const cookie = await cookieFor(ADMIN);
    expect((await api(cookie)).status).toBe(200);
    expect((await api(cookie, { ...make, headers: { ...json, ...SAME } })).status).toBe(201);
    expect((await api(cookie, { ...make, headers: { ...json, origin: ORIGIN } })).status).toBe(201);
    for (const headers of [
      json,
      { ...json, origin: "https://evil.test" },
      { ...json, origin: "null" },
      { ...json, "sec-fetch-site": "same-site", origin: "https://other.relay.test" },
      { ...json, "sec-fetch-site": "cross-site" },
    ])
      expect((await api(cookie, { ...make, headers })).status, JSON.stringify(headers)).toBe(403);
  });

  it("has the scopes of its token and no more", async () => {
    const { token } = await makeToken(["read"]);
    const cookie = await cookieFor(token);
    expect((await send(`${ORIGIN}/api/trials`, { headers: { cookie } })).status).toBe(200);
    expect((await send(`${ORIGIN}/`, { headers: { cookie } })).status).toBe(200);
    expect((await api(cookie)).status).toBe(403);
  });

  it("ends when it is altered, over, or ADMIN_TOKEN is another", async () => {
    const cookie = await cookieFor(ADMIN);
    const altered = cookie.replace(/admin\.(\d+)/, (_, at) => `admin.${Number(at) + 1}`);
    expect((await api(altered)).status).toBe(401);
    expect((await api(cookie, {}, { ADMIN_TOKEN: "another-admin-token" })).status).toBe(401);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 15 * 86_400_000 });
    expect((await api(cookie)).status).toBe(401);
  });

  it("ends with its token: revoked, or expired", async () => {
    const revoked = await makeToken(["read"]);
    const expired = await makeToken(["read"], new Date(Date.now() + 60_000).toISOString());
    const cookies = [await cookieFor(revoked.token), await cookieFor(expired.token)];
    const statuses = async () =>
      Promise.all(cookies.map(async (cookie) => (await send(`${ORIGIN}/`, { headers: { cookie } })).status));
    expect(await statuses()).toEqual([200, 200]);
    expect((await request(`/api/ops/tokens/${revoked.id}`, { method: "DELETE" })).status).toBe(200);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 61_000 });
    expect(await statuses()).toEqual([303, 303]);
  });

  it("does not stand in for a token that is wrong", async () => {
    const headers = { cookie: await cookieFor(ADMIN), authorization: "Bearer wrong" };
    expect((await send(`${ORIGIN}/api/ops/tokens`, { headers })).status).toBe(401);
  });

  it("ends by signing out, which a page elsewhere cannot do", async () => {
    const cookie = await cookieFor(ADMIN);
    const out = (headers: Record<string, string>) =>
      send(`${ORIGIN}/sign-out`, { method: "POST", headers: { cookie, ...headers } });
    expect((await out({ "sec-fetch-site": "cross-site" })).status).toBe(403);
    expect((await out(SAME)).headers.get("set-cookie")).toMatch(/^trial-relay-session=; Max-Age=0/);
  });
});

describe("a page", () => {
  it("has a policy under which nothing in it runs, and asks who comes", async () => {
    const cookie = await cookieFor(ADMIN);
    const page = await send(`${ORIGIN}/`, { headers: { cookie } });
    const html = await page.text();
    expect(page.headers.get("content-security-policy")).toMatch(
      /^default-src 'none'; script-src 'self'; style-src 'self';/,
    );
    expect(page.headers.get("cache-control")).toBe("private, no-cache");
    expect(html).not.toMatch(/<script(?![^>]* src=)(?![^>]*application\/json)|\son\w+=|\sstyle=|<style/);
    expect(
      [...html.matchAll(/(?:src|href)="([^"]*)"/g)].every(([, to = ""]) => /^\/(?!\/)|^#/.test(to)),
    ).toBe(true);
    const stranger = await send(`${ORIGIN}/?state=running`);
    expect([stranger.status, stranger.headers.get("location")]).toEqual([
      303,
      "/sign-in?next=%2F%3Fstate%3Drunning",
    ]);
  });

  it("is not sent again while nothing changes", async () => {
    const cookie = await cookieFor(ADMIN);
    const etag = (await send(`${ORIGIN}/`, { headers: { cookie } })).headers.get("etag") ?? "";
    const again = await send(`${ORIGIN}/`, { headers: { cookie, "if-none-match": etag } });
    expect([again.status, await again.text()]).toEqual([304, ""]);
  });

  it("says what is wrong with an address, to browsers as a page", async () => {
    const headers = { cookie: await cookieFor(ADMIN), accept: "text/html" };
    for (const [path, status] of [
      ["/nowhere", 404],
      ["/?sort=luck", 400],
      ["/?cursor=x", 400],
    ] as const) {
      const answer = await send(ORIGIN + path, { headers });
      expect([answer.status, answer.headers.get("content-type")]).toEqual([
        status,
        "text/html; charset=UTF-8",
      ]);
      expect(answer.headers.get("content-security-policy")).toMatch(/^default-src 'none'/);
    }
    expect((await send(`${ORIGIN}/api/nowhere`, { headers })).headers.get("content-type")).toContain(
      "problem+json",
    );
  });
});
