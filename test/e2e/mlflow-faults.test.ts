import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { freePort } from "../../scripts/lib/mlflow-server.ts";
import { createMlflowClient } from "../../src/mlflow/client.ts";
import type { Failure, FailureKind } from "../../src/mlflow/failure.ts";
import type { MlflowSettings } from "../../src/mlflow/http.ts";

/** A server that fails as networks and proxies do. It remembers what it was asked. */
let server: Server;
let port: number;
let answer: RequestListener;
let asked: IncomingMessage[] = [];

beforeAll(async () => {
  port = await freePort();
  server = createServer((request, response) => {
    asked.push(request);
    answer(request, response);
  });
  await new Promise<void>((done) => server.listen(port, "127.0.0.1", done));
});
beforeEach(() => {
  asked = [];
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
});

function client(settings: Partial<MlflowSettings> = {}) {
  return createMlflowClient(
    {
      trackingUri: `http://127.0.0.1:${port}`,
      auth: { kind: "none" },
      extraHeaders: {},
      timeoutMs: 5000,
      ...settings,
    },
    { fetch: (url, init) => fetch(url, init), now: Date.now },
  );
}

/** The failures of a write and of a read under the same fault. */
async function failures(settings?: Partial<MlflowSettings>): Promise<[Failure, Failure]> {
  const { setTag, getRun } = client(settings);
  const written = await setTag({ runId: "r", key: "k", value: "v" });
  const read = await getRun("r");
  if (written.ok || read.ok) throw new Error("the fault did not happen");
  expect(asked).toHaveLength(2);
  return [written.failure, read.failure];
}

function reply(status: number, headers: Record<string, string>, body: string): RequestListener {
  return (_, response) => response.writeHead(status, headers).end(body);
}

const JSON_TYPE = { "content-type": "application/json" };
const HTML_TYPE = { "content-type": "text/html; charset=utf-8" };

describe("no complete answer: a write is ambiguous, a read transient", () => {
  test.each<[string, RequestListener]>([
    ["connection closed at once", (request) => request.socket.destroy()],
    [
      "cut by length",
      (request, response) => {
        response.writeHead(200, { ...JSON_TYPE, "content-length": "100" }).write("{");
        setTimeout(() => request.socket.destroy(), 50);
      },
    ],
    [
      "cut between chunks",
      (request, response) => {
        response.writeHead(200, JSON_TYPE).write('{"run":');
        setTimeout(() => request.socket.destroy(), 50);
      },
    ],
    ["JSON that stops early", reply(200, JSON_TYPE, '{"run": {"info"')],
    ["502 of a proxy", reply(502, HTML_TYPE, "<h1>Bad gateway</h1>")],
    ["503 of a proxy", reply(503, { "content-type": "text/plain" }, "no healthy upstream")],
  ])("%s", async (_, fault) => {
    answer = fault;
    const [written, read] = await failures();
    expect([written.kind, read.kind]).toEqual(["ambiguous", "transient"]);
    expect(written.message).not.toBe("");
  });

  test.each<[string, RequestListener]>([
    ["before the headers", () => {}],
    ["within the body", (_, response) => response.writeHead(200, JSON_TYPE).write("{")],
  ])("stalled %s: the timeout covers it", async (_, fault) => {
    answer = fault;
    const started = performance.now();
    const [written, read] = await failures({ timeoutMs: 300 });
    const elapsed = performance.now() - started;
    expect([written.kind, read.kind]).toEqual(["ambiguous", "transient"]);
    expect(written.message).toBe("No complete answer within 300 ms");
    expect(elapsed).toBeGreaterThan(590);
    expect(elapsed).toBeLessThan(4000);
  });
});

describe("Retry-After", () => {
  test("in seconds", async () => {
    answer = reply(429, { "retry-after": "7" }, "slow down");
    for (const failure of await failures()) {
      expect(failure).toMatchObject({
        kind: "transient",
        status: 429,
        retryAfterMs: 7000,
        message: "slow down",
      });
    }
  });
  test("as a date", async () => {
    answer = reply(429, { "retry-after": new Date(Date.now() + 60_000).toUTCString() }, "");
    for (const failure of await failures()) {
      expect(failure.retryAfterMs).toBeGreaterThan(50_000);
      expect(failure.retryAfterMs).toBeLessThanOrEqual(60_000);
    }
  });
});

describe("something that is not MLflow", () => {
  const REFUSED: [FailureKind, FailureKind] = ["misconfigured", "misconfigured"];
  const SENSELESS: [FailureKind, FailureKind] = ["ambiguous", "misconfigured"];
  // The kinds for a write, which may have been done where something else answers for it, and for a read.
  test.each<[string, RequestListener, [FailureKind, FailureKind], string]>([
    ["HTML 404", reply(404, HTML_TYPE, "<title>404</title><h1>Not Found</h1>"), REFUSED, "Not Found"],
    ["text 403", reply(403, {}, "Invalid Host header"), REFUSED, "Invalid Host header"],
    ["401", reply(401, { "www-authenticate": "Basic" }, "Sign in"), REFUSED, "Sign in"],
    ["HTML 200", reply(200, HTML_TYPE, "<h1>Welcome</h1>"), SENSELESS, "text/html"],
    ["text 200", reply(200, {}, "OK"), SENSELESS, "no JSON"],
    ["JSON 200 of another kind", reply(200, JSON_TYPE, "[]"), SENSELESS, "Not an answer of MLflow's"],
    ["413 of a proxy", reply(413, HTML_TYPE, "<h1>Too large</h1>"), ["invalid", "invalid"], "Too large"],
  ])("%s", async (_, fault, kinds, message) => {
    answer = fault;
    const [written, read] = await failures();
    expect([written.kind, read.kind]).toEqual(kinds);
    for (const failure of [written, read]) expect(failure.message).toContain(message);
  });

  test("redirects are not followed", async () => {
    answer = reply(302, { location: `http://127.0.0.1:${port}/elsewhere?token=secret` }, "");
    const [written, read] = await failures();
    expect(written).toMatchObject({ kind: "ambiguous", status: 302 });
    expect(read).toMatchObject({ kind: "misconfigured", status: 302 });
    expect(written.message + read.message).not.toContain("secret");
    expect(asked.map((request) => request.url)).not.toContain("/elsewhere?token=secret");
  });
});

describe("requests", () => {
  beforeEach(() => {
    answer = reply(200, JSON_TYPE, "{}");
  });

  test.each([
    ["", "/api/2.0/mlflow/runs/delete"],
    ["/", "/api/2.0/mlflow/runs/delete"],
    ["/t/tenant", "/t/tenant/api/2.0/mlflow/runs/delete"],
    ["/t/tenant///?x=1#y", "/t/tenant/api/2.0/mlflow/runs/delete"],
  ])("the tracking URI may end with %j", async (suffix, path) => {
    const result = await client({ trackingUri: `http://127.0.0.1:${port}${suffix}` }).deleteRun("r");
    expect(result).toEqual({ ok: true, value: undefined });
    expect(asked.map((request) => request.url)).toEqual([path]);
  });

  test("carry credentials, extra headers and a content type", async () => {
    const extraHeaders = { "X-Tenant": "blue" };
    await client({ extraHeaders }).deleteRun("r");
    await client({ extraHeaders, auth: { kind: "basic", username: "ann", password: "p:ä" } }).deleteRun("r");
    await client({ extraHeaders, auth: { kind: "bearer", token: "tok" } }).getRun("r");
    const basic = Buffer.from("ann:p:ä", "utf8").toString("base64");
    expect(asked.map(({ headers }) => headers.authorization)).toEqual([
      undefined,
      `Basic ${basic}`,
      "Bearer tok",
    ]);
    expect(asked.map(({ headers }) => headers["x-tenant"])).toEqual(["blue", "blue", "blue"]);
    expect(asked.map(({ headers }) => headers["content-type"])).toEqual([
      "application/json",
      "application/json",
      undefined,
    ]);
  });

  test("names in a query are encoded", async () => {
    await client().getExperimentByName("a&b=c d/ü+%");
    const url = new URL(asked[0]?.url ?? "", "http://x");
    expect(url.searchParams.get("experiment_name")).toBe("a&b=c d/ü+%");
  });
});
