import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { app } from "../../src/app.ts";
import { ROUTES } from "../../src/gateway/routes.ts";
import { openApiDocument } from "../../src/routes/docs/document.ts";
import { TRIAL_KEY } from "../../src/routes/examples.ts";
import { ADMIN } from "./api.ts";
import { isAsDocumented } from "./document-schemas.ts";

/** What anybody is told while D1 does not answer, and by which words the log tells it from a fault of the relay's own. */

const OVERLOADED = "D1_ERROR: D1 DB is overloaded. Requests queued for too long.";
const LOST = "D1_ERROR: Network connection lost.";
const NO_COLUMN = "D1_ERROR: no such column: nobody: SQLITE_ERROR";
const INNER = /D1_|overloaded|queued|connection lost|SQLITE|select |no such column/i;

/** A database whose every statement fails as it is run, with these words. */
function failing(words: string): D1Database {
  const fail = () => Promise.reject(new Error(words));
  const failingOne = (statement: D1PreparedStatement): D1PreparedStatement =>
    new Proxy(statement, {
      get: (target, name) =>
        name === "bind" ? (...values: unknown[]) => failingOne(target.bind(...values)) : fail,
    });
  return new Proxy(env.DB, {
    get: (target, name) => (name === "prepare" ? (sql: string) => failingOne(target.prepare(sql)) : fail),
  });
}

const nowhere = () => Promise.reject(new Error("the queue is away as well"));
const NO_QUEUE = { send: nowhere, sendBatch: nowhere, metrics: nowhere };
const AWAY = { TRIALS: NO_QUEUE, JOBS: NO_QUEUE, FILES: NO_QUEUE, MLFLOW_TRACKING_URI: "http://127.0.0.1:9" };

async function ask(path: string, init: RequestInit, { words = OVERLOADED, token = ADMIN } = {}) {
  const headers = new Headers(init.headers);
  headers.set("authorization", `Bearer ${token}`);
  const vars = { ...env, ...AWAY, DB: failing(words) };
  const response = await app.request(path, { ...init, headers }, vars, createExecutionContext());
  return { response, text: await response.text() };
}

/** What the examples of the document leave out. */
const QUERIES: Readonly<Record<string, string>> = {
  "/api/curves": `keys=loss&trials=${TRIAL_KEY}`,
  "/api/curves/metrics": `trials=${TRIAL_KEY}`,
  "/api/trial-table": "model_run_id=study-1",
  "/api/trial-columns": "model_run_id=study-1",
  "/api/find": "text=study",
};
/** They ask no database, or say themselves how it is. */
const OPEN = new Set(["GET /health", "GET /ready", "GET /openapi.json", "GET /docs"]);

const operations = Object.entries(openApiDocument().paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { parameters = [], requestBody }]) => {
    const filled = parameters.reduce(
      (text, { in: where, name, example }) =>
        where === "path" ? text.replace(`{${name}}`, encodeURIComponent(String(example))) : text,
      path,
    );
    const [type = "", content] = Object.entries(requestBody?.content ?? {})[0] ?? [];
    const [example] = Object.values(content?.examples ?? {});
    const headers = { "content-type": type };
    const init: RequestInit = {
      method: method.toUpperCase(),
      ...(requestBody ? { headers, body: JSON.stringify(example?.value ?? {}) } : {}),
    };
    return { name: `${method.toUpperCase()} ${path}`, address: `${filled}?${QUERIES[path] ?? ""}`, init };
  }),
);

/** Whatever any endpoint of MLflow's asks for; what it does not know it passes over. */
const ANYTHING = {
  experiment_id: "1",
  experiment_ids: ["1"],
  experiment_name: "e",
  run_id: "r",
  run_ids: ["r"],
  name: "n",
  new_name: "n",
  key: "k",
  metric_key: "k",
  value: "1",
  timestamp: 1,
  max_results: 5,
  model_id: "m",
  models: [{ model_id: "m" }],
  status: 2,
  path: "x/f",
  num_parts: 1,
  upload_id: "u",
  model_json: '{"run_id":"r","artifact_path":"m","utc_time_created":"t","flavors":{}}',
};
const query = new URLSearchParams(
  Object.entries(ANYTHING).flatMap(([name, value]) =>
    [value].flat().flatMap((one) => (typeof one === "object" ? [] : [[name, String(one)]])),
  ),
);
/** The one says what the relay can do, the others look at the bucket first. */
const WITHOUT = ["/3.0/mlflow/server-info", "/2.0/mlflow-artifacts/mpu/"];
const endpoints = ROUTES.flatMap(({ methods, path }) =>
  WITHOUT.some((one) => path.startsWith(one))
    ? []
    : methods.map((method) => ({ method, path: `/api${path.replace(/:\w+(\{[^}]*\})?/g, "x")}` })),
);

const log = vi.spyOn(console, "error");
beforeEach(() => void log.mockReset());
afterAll(() => log.mockRestore());

/** The messages that were logged as errors. */
const logged = () => log.mock.calls.map(([line]) => line.message);

describe("while the database does not answer", () => {
  it.each(operations.filter(({ name }) => !OPEN.has(name)))("$name is to be asked again", async (one) => {
    for (const words of [OVERLOADED, LOST]) {
      const { response, text } = await ask(one.address, one.init, { words });
      expect([response.status, response.headers.get("content-type")]).toEqual([
        503,
        "application/problem+json",
      ]);
      const body = JSON.parse(text);
      expect(body).toMatchObject({ success: false, error: "unavailable", status: 503 });
      expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(text).not.toMatch(INNER);
      isAsDocumented(one.init.method ?? "GET", one.address, response, body);
    }
  });

  it.each(endpoints)("an MLflow client may $method $path again in a second", async ({ method, path }) => {
    const headers = { "content-type": "application/json" };
    const sent = method === "GET" ? {} : { headers, body: JSON.stringify(ANYTHING) };
    const { response, text } = await ask(`${path}?${query}`, { method, ...sent });
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(JSON.parse(text)).toMatchObject({ error_code: "TEMPORARILY_UNAVAILABLE" });
    expect(text).not.toMatch(/went wrong/);
    expect(text).not.toMatch(INNER);
  });

  it("nobody can tell whose a token is, and a page says so as a page", async () => {
    const token = `tr_${"x".repeat(43)}`;
    for (const path of ["/api/trials", "/metrics", "/api/2.0/mlflow/runs/get?run_id=r"]) {
      const { response, text } = await ask(path, {}, { token });
      expect([path, response.status]).toEqual([path, 503]);
      expect(text).not.toMatch(INNER);
    }
    const form = { method: "POST", body: new URLSearchParams({ token, next: "/" }) };
    const headers = { "sec-fetch-site": "same-origin", accept: "text/html" };
    const { response, text } = await ask("/sign-in", { ...form, headers });
    expect([response.status, response.headers.get("content-type")]).toEqual([
      503,
      "text/html; charset=UTF-8",
    ]);
    expect(text).not.toMatch(INNER);
    expect(new Set(logged())).toEqual(new Set(["the database does not say whose a token is"]));
  });

  it("the log says what happened", async () => {
    await ask("/api/trials", {});
    await ask("/api/2.0/mlflow/runs/get?run_id=r", {});
    expect(log.mock.calls).toEqual([
      [expect.objectContaining({ message: "the database does not answer", error: OVERLOADED })],
      [expect.objectContaining({ message: "the database does not answer", error: OVERLOADED })],
    ]);
  });
});

describe("what somebody asks for says nothing of the database", () => {
  it.each([
    ["D1_ERROR: internal error; reference = 0a1b", "SQLITE_ERROR", 503],
    [NO_COLUMN, "overloaded", 500],
    [NO_COLUMN, "Network connection lost", 500],
  ])("%s over %s", async (words, asked, status) => {
    const text = encodeURIComponent(asked);
    for (const path of [`/api/trials?model_run_id=${text}`, `/api/model-runs/${text}`]) {
      const { response } = await ask(path, {}, { words });
      expect([path, response.status]).toEqual([path, status]);
    }
  });
});

describe("a fault of the relay's own stays one", () => {
  it.each([
    NO_COLUMN,
    "D1_ERROR: Too many API requests by single Worker invocation.",
    "D1_ERROR: Wrong number of parameter bindings for SQL query.",
    "a bug",
  ])("%s", async (words) => {
    const { response, text } = await ask("/api/trials", {}, { words });
    expect([response.status, JSON.parse(text).error]).toEqual([500, "internal"]);
    expect(text).not.toMatch(INNER);
    expect(logged()).toEqual(["request failed"]);
    const page = await ask("/api/trials", { headers: { accept: "text/html" } }, { words });
    expect(page.response.status).toBe(500);
  });
});
