import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { app } from "../../src/app.ts";
import { MAX_REQUEST_WARNINGS } from "../../src/domain/limits.ts";
import { openApiDocument } from "../../src/routes/docs/document.ts";
import { ADMIN, post } from "./api.ts";
import { metric, start } from "./payloads.ts";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

const paths = Object.entries(openApiDocument().paths);

/** Each documented address with all methods of the documented addresses that it can be read as. */
const addresses = paths.map(([path]) => {
  const address = path.replace(/\{\w+\}/g, "x");
  const taken = paths
    .filter(([other]) => new RegExp(`^${other.replace(/\{\w+\}/g, "[^/]+")}$`).test(address))
    .flatMap(([, methods]) => Object.keys(methods).map((method) => method.toUpperCase()));
  return {
    path,
    address,
    allowed: new Set([...taken, ...(taken.includes("GET") ? ["HEAD"] : []), "OPTIONS"]),
  };
});

function ask(path: string, method: string, headers: Record<string, string> = {}) {
  const authorization = `Bearer ${ADMIN}`;
  return app.request(path, { method, headers: { authorization, ...headers } }, env, createExecutionContext());
}

describe("an address", () => {
  it.each(addresses)("$path says which methods it takes, and refuses the others with them", async (known) => {
    for (const address of [known.address, `${known.address}/`]) {
      for (const method of METHODS.filter((method) => !known.allowed.has(method))) {
        const response = await ask(address, method);
        expect([method, response.status]).toEqual([method, 405]);
        expect(new Set(response.headers.get("allow")?.split(", "))).toEqual(known.allowed);
        if (method !== "HEAD")
          expect(await response.json()).toMatchObject({ error: "method_not_allowed", status: 405 });
      }
      const options = await ask(address, "OPTIONS");
      expect([options.status, new Set(options.headers.get("allow")?.split(", "))]).toEqual([
        204,
        known.allowed,
      ]);
    }
  });

  it.each(addresses.filter(({ allowed }) => allowed.has("GET") && allowed.size > 0))(
    "$path is the same with a slash at its end",
    async ({ address }) => {
      const [without, within] = [await ask(address, "GET"), await ask(`${address}/`, "GET")];
      expect(within.status).toBe(without.status);
      const [a, b] = [await without.text(), await within.text()];
      const plain = (text: string) =>
        text.replaceAll(/"request_id":"[^"]*"/g, "").replaceAll(/\d+(\.\d+)?/g, "0");
      expect(plain(b)).toBe(plain(a));
    },
  );

  it("that there is not is none with any method", async () => {
    for (const method of METHODS.filter((method) => method !== "HEAD")) {
      const response = await ask("/api/nothing", method);
      expect([response.status, response.headers.get("allow")]).toEqual([404, null]);
      expect(await response.json()).toMatchObject({ error: "not_found" });
    }
  });
});

describe("every answer", () => {
  const failing = {
    ...env,
    DB: {
      prepare: () => {
        throw new Error("no database");
      },
    },
  };

  it.each([
    [200, "GET", "/health", env],
    [204, "OPTIONS", "/health", env],
    [400, "GET", "/api/trials?limit=x", env],
    [404, "GET", "/nothing", env],
    [404, "GET", "/api/trials/nothing", env],
    [405, "DELETE", "/api/events/ml", env],
    [415, "POST", "/api/events/ml", env],
    [500, "GET", "/api/trials", failing],
    [500, "GET", "/health", { ...env, MLFLOW_REQUEST_TIMEOUT: "soon" }],
    [429, "POST", "/api/events/ml", { ...env, INGEST_LIMIT: { limit: async () => ({ success: false }) } }],
  ])("carries the request's id: %d to %s %s", async (status, method, path, bindings) => {
    const headers = { authorization: `Bearer ${ADMIN}`, "x-request-id": "mine-1" };
    const response = await app.request(path, { method, headers }, bindings, createExecutionContext());
    expect([response.status, response.headers.get("x-request-id")]).toEqual([status, "mine-1"]);
    await response.body?.cancel();
  });

  it.each(["/api/trials", "/api/ops/breaker", "/metrics"])(
    "carries it where a token is missing: %s",
    async (path) => {
      const response = await app.request(path, {}, env, createExecutionContext());
      expect([response.status, response.headers.get("x-request-id")]).toEqual([
        401,
        expect.stringMatching(/^[\w-]+$/),
      ]);
      expect(await response.json()).toMatchObject({ request_id: response.headers.get("x-request-id") });
    },
  );

  it("carries it where all of several events are refused", async () => {
    const { headers, body } = await post([{ event: "x" }, { event: "y" }]);
    expect(body).toMatchObject({ request_id: headers.get("x-request-id"), results: [{}, {}] });
  });
});

describe("an answer", () => {
  const size = (value: unknown) => JSON.stringify(value).length;

  it("says each of a hundred problems once, and how many more there were", async () => {
    const bad = Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`m%${n}`, "x"]));
    const { status, body } = await post(metric("amplified", { step: 1, metrics: bad }));
    expect([status, body]).toMatchObject([422, { errors: { length: 100 }, more_errors: 49_900 }]);
    expect(size(body)).toBeLessThan(60_000);
  });

  it("says each of a hundred warnings once, and how many more there were", async () => {
    const unknown = Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`zz${n}`, n]));
    const { status, body } = await post(start("warned", unknown));
    expect([status, body]).toMatchObject([202, { warnings: { length: 100 }, more_warnings: 49_900 }]);
    expect(size(body)).toBeLessThan(60_000);
  });

  it("grows no faster than the request's number of events", async () => {
    const bad = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`m%${n}`, "x"]));
    const events = Array.from({ length: 500 }, () => metric("amplified", { step: 1, metrics: bad }));
    const { status, body } = await post(events);
    expect([status, body]).toMatchObject([422, { rejected: 500, results: { length: 500 } }]);
    expect(size(body)).toBeLessThan(1_000_000);
    expect(body).toMatchObject({
      results: expect.arrayContaining([expect.objectContaining({ more_errors: 99 })]),
    });
  });

  it("keeps of a flood of warnings no more in the ledger than is read, and counts the rest", async () => {
    const unknown = Object.fromEntries(Array.from({ length: 90 }, (_, n) => [`zz${n}`, n]));
    const events = Array.from({ length: 500 }, (_, n) => start(`flood${n}`, unknown));
    const { body } = await post(events);
    expect(body).toMatchObject({ accepted: 500, rejected: 0 });
    const said =
      "select json_array_length(e.warnings) as n from events e join streams s on s.id = e.stream_id";
    const { results } = await env.DB.prepare(`${said} where s.trial_id like 'flood%'`).all<{ n: number }>();
    expect(Math.min(...results.map(({ n }) => n))).toBe(1);
    expect(results.reduce((sum, { n }) => sum + n, 0)).toBeLessThan(MAX_REQUEST_WARNINGS + 600);
    expect(body).toMatchObject({
      results: expect.arrayContaining([expect.objectContaining({ index: 499, more_warnings: 89 })]),
    });
  });

  it.each([
    ["a type", { event: "x".repeat(1_000_000) }],
    ["a value", { ...start("long"), spectral_norm: "x".repeat(1_000_000) }],
    ["a large value", { ...start("long"), spectral_norm: Array.from({ length: 200_000 }, () => 1) }],
    ["a name", metric("long", { step: 1, metrics: { ["x".repeat(1_000_000)]: 1 } })],
    [
      "a name over many",
      metric("long", {
        step: 1,
        metrics: {
          ["x".repeat(500_000)]: Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [n, 1])),
        },
      }),
    ],
    ["an id", { ...start("x".repeat(1_000_000)) }],
    ["the name of what nests too deep", `{"${"x".repeat(1_000_000)}":${"[".repeat(200)}${"]".repeat(200)}}`],
    ["no JSON", "x".repeat(1_000_000)],
  ])("echoes %s no longer than it is read", async (_, event) => {
    const { status, body } = await post(event);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(size(body)).toBeLessThan(5_000);
  });
});

describe("an event with an id", () => {
  it("is the same with a null field as without it", async () => {
    const event = start("with null", { event_id: "n1" });
    expect((await post({ ...event, run_name: null, parameters: null })).status).toBe(202);
    expect((await post(event)).body).toMatchObject({ success: true, duplicate: true });
    expect((await post({ ...event, description: null })).body).toMatchObject({ duplicate: true });
    expect((await post({ ...event, run_name: "other" })).status).toBe(409);
  });

  it("has one id however its null event_id is left out", async () => {
    const event = metric("null id", { step: 3, metrics: { loss: 1 } });
    expect((await post({ ...event, event_id: null })).status).toBe(202);
    expect((await post(event)).body).toMatchObject({ duplicate: true });
  });
});
