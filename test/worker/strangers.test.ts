import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import * as z from "zod";
import { OUTAGE_TRUST_MS } from "../../src/routes/door/token-cache.ts";
import { request } from "./api.ts";
import { metric } from "./payloads.ts";

const made = z.object({ id: z.string(), token: z.string() });
const FORM = (n: number) => `tr_${String(n).padStart(43, "x")}`;

async function newToken(scopes: string[]) {
  const body = JSON.stringify({ name: "one", scopes });
  return made.parse((await request("/api/ops/tokens", { method: "POST", body })).body);
}

/** The database with each look-up of a token counted, or refused. */
function watched(refuses = false) {
  const counted = { lookUps: 0 };
  const DB = new Proxy(env.DB, {
    get(db, name) {
      if (name === "prepare" || name === "batch")
        return (...args: [never]) => {
          if (refuses) throw new Error("no database");
          if (String(args[0]).includes("api_tokens")) counted.lookUps++;
          return Reflect.apply(Reflect.get(db, name), db, args);
        };
      const value: unknown = Reflect.get(db, name);
      return typeof value === "function" ? value.bind(db) : value;
    },
  });
  return { counted, DB };
}

/** A limiter of so many requests for each key. */
function limiter(most: number) {
  const seen = new Map<string, number>();
  return {
    seen,
    limit: async ({ key }: { key: string }) => {
      seen.set(key, (seen.get(key) ?? 0) + 1);
      return { success: (seen.get(key) ?? 0) <= most };
    },
  };
}

const from = (ip: string) => ({ "cf-connecting-ip": ip });
const send = (token: string | null, more: { bindings?: object; headers?: Record<string, string> } = {}) =>
  request("/api/events/ml", {
    method: "POST",
    body: JSON.stringify(metric("s", { step: 1, metrics: { a: 1 } })),
    token,
    ...more,
  });

describe("whoever has no valid token", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it("costs no look-up with what no token looks like", async () => {
    const { counted, DB } = watched();
    for (const token of ["x", "tr_unknown", `${FORM(1)}x`, "' or 1=1 --"]) {
      const { status } = await request("/api/trials", { token, bindings: { DB } });
      expect([token, status]).toEqual([token, 401]);
    }
    expect(counted.lookUps).toBe(0);
  });

  it("is refused after so many guesses, while who is known from there goes on", async () => {
    const { token } = await newToken(["ingest", "read"]);
    const { counted, DB } = watched();
    const bindings = { DB, STRANGER_LIMIT: limiter(20) };
    const headers = from("192.0.2.1");
    expect((await request("/api/trials", { token, headers, bindings })).status).toBe(200);
    const statuses = [];
    for (let n = 0; n < 60; n++)
      statuses.push((await request("/api/trials", { token: FORM(n), headers, bindings })).status);
    expect(statuses).toEqual([...Array(20).fill(401), ...Array(40).fill(429)]);
    expect(counted.lookUps).toBeLessThanOrEqual(22);
    const refused = await request("/api/trials", { token: null, headers, bindings });
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "10"]);
    expect((await request("/api/trials", { token, headers, bindings })).status).toBe(200);
    expect(
      (await request("/api/trials", { token: FORM(1), headers: from("192.0.2.2"), bindings })).status,
    ).toBe(401);
  });

  it("is one stranger with all of its network's addresses", async () => {
    const STRANGER_LIMIT = limiter(1_000);
    const ips = [
      "2001:db8:1:2::1",
      "2001:db8:1:2:3:4:5:6",
      "2001:db8:1:3::1",
      "2001:db8::1",
      "::1",
      "198.51.100.7",
    ];
    for (const ip of ips)
      await request("/api/trials", { token: null, headers: from(ip), bindings: { STRANGER_LIMIT } });
    expect(Object.fromEntries(STRANGER_LIMIT.seen)).toEqual({
      "2001:db8:1:2": 2,
      "2001:db8:1:3": 1,
      "2001:db8:0:0": 1,
      "0:0:0:0": 1,
      "198.51.100.7": 1,
    });
  });

  it("learns from /ready how everything fares, and neither names nor errors", async () => {
    const bindings = { MLFLOW_TRACKING_URI: "http://mlflow.private.example:5000", DB: watched(true).DB };
    const open = await request("/ready", { token: null, bindings });
    expect(open.body).toEqual({
      status: "unavailable",
      database: { state: "down" },
      queue: { state: expect.any(String), backlog: null },
      mlflow: { state: expect.any(String), breaker: "closed", alarm: false },
    });
    expect(JSON.stringify(open.body)).not.toMatch(/private|no database/);
    const known = await request("/ready", { bindings });
    expect(known.body).toMatchObject({
      database: { last_error: "no database" },
      mlflow: { tracking_uri: "http://mlflow.private.example:5000" },
    });
    expect((await request("/ready", { token: "tr_wrong" })).status).toBe(401);
  });

  it("may ask for /ready so often and no oftener", async () => {
    const init = { token: null, headers: from("192.0.2.9"), bindings: { STRANGER_LIMIT: limiter(2) } };
    const statuses = [];
    for (let n = 0; n < 4; n++) statuses.push((await request("/ready", init)).status);
    expect(statuses.slice(2)).toEqual([429, 429]);
  });
});

describe("while the database does not answer", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it("a known token sends on, whoever guesses beside it, for a bounded time; an unknown one is told to wait", async () => {
    const { token } = await newToken(["ingest"]);
    expect((await send(token)).status).toBe(202);
    const start = Date.now();
    const { DB } = watched(true);
    vi.useFakeTimers({ toFake: ["Date"], now: start + 60_000 });
    for (let n = 0; n < 1_200; n++)
      await request("/api/trials", { token: `guess ${n}`, bindings: { DB, STRANGER_LIMIT: limiter(9e9) } });
    expect((await send(token, { bindings: { DB } })).status).toBe(202);
    const unknown = await send(FORM(7), { bindings: { DB }, headers: from("192.0.2.3") });
    expect([unknown.status, unknown.headers.get("retry-after")]).toEqual([503, "5"]);
    vi.setSystemTime(start + OUTAGE_TRUST_MS - 1_000);
    expect((await send(token, { bindings: { DB } })).status).toBe(202);
    vi.setSystemTime(start + OUTAGE_TRUST_MS + 60_000);
    expect((await send(token, { bindings: { DB } })).status).toBe(503);
  });

  it("a limiter that fails keeps nobody out", async () => {
    const broken = { limit: async () => Promise.reject(new Error("no limiter")) };
    expect((await send(null, { bindings: { STRANGER_LIMIT: broken } })).status).toBe(401);
    const { token } = await newToken(["ingest"]);
    expect((await send(token, { bindings: { INGEST_LIMIT: broken } })).status).toBe(202);
  });
});
