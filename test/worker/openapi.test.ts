import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import * as z from "zod";
import { app } from "../../src/app.ts";
import { dashboardApp } from "../../src/dashboard/app.tsx";
import { SCOPES } from "../../src/domain/words.ts";
import { gatewayApp } from "../../src/gateway/app.ts";
import { openApiDocument } from "../../src/routes/docs/document.ts";
import * as example from "../../src/routes/examples.ts";
import { bury } from "../../src/store/delivery/dead-letters.ts";
import { NOTHING_DONE, storePass } from "../../src/store/ops/passes.ts";
import { ADMIN, foldAll, post, request } from "./api.ts";
import { closed, matches } from "./document-schemas.ts";
import { emptyMlflow } from "./empty-mlflow.ts";

const api = openApiDocument();
const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    name: `${method.toUpperCase()} ${path}`,
    method: method.toUpperCase(),
    path,
    operation,
  })),
);
type Documented = (typeof operations)[number];

/** The address with the document's own examples in it. */
function addressOf({ path, operation: { parameters = [] } }: Documented, more: Record<string, string> = {}) {
  const filled = parameters.reduce(
    (text, { in: where, name, example: value }) =>
      where === "path" ? text.replace(`{${name}}`, encodeURIComponent(String(value))) : text,
    path,
  );
  const query = new URLSearchParams(more);
  for (const { in: where, name, example: value } of parameters)
    if (where === "query" && value !== undefined) query.set(name, String(value));
  return `${filled}?${query}`;
}

const LETTER = JSON.stringify({ key: "refused", value: 1, step: 1, timestamp: 1 });
const QUEUE = { send: async () => {}, sendBatch: async () => {}, metrics: async () => NO_BACKLOG };
const NO_BACKLOG = { backlogCount: 0, backlogBytes: 0 };

function ask(path: string, init: RequestInit) {
  return app.request(
    path,
    init,
    { ...env, TRIALS: QUEUE, JOBS: QUEUE, FILES: QUEUE },
    createExecutionContext(),
  );
}

describe("the document", () => {
  it("is OpenAPI 3.1 whose references all lead somewhere, and has nothing that is not used", () => {
    expect(api.openapi).toMatch(/^3\.1\.\d+$/);
    const text = JSON.stringify(api);
    const references = new Set(
      [...text.matchAll(/"\$ref":"#\/components\/(\w+\/\w+)"/g)].map(([, to]) => to),
    );
    const components = [
      ...Object.keys(api.components.schemas).map((name) => `schemas/${name}`),
      ...Object.keys(api.components.responses).map((name) => `responses/${name}`),
    ];
    expect(text.match(/"\$ref":/g)?.length).toBe(text.match(/"\$ref":"#\/components\/\w+\/\w+"/g)?.length);
    expect([...references].sort()).toEqual(components.sort());
  });

  it("names each operation once, under a tag that it explains", () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    const tags = new Set(api.tags.map(({ name }) => name));
    for (const { operation } of operations) expect(operation.tags.every((tag) => tags.has(tag))).toBe(true);
  });

  it.each(operations)("$name has the parameters of its path, each with an example", ({ path, operation }) => {
    const { parameters = [] } = operation;
    const inPath = parameters.filter((parameter) => parameter.in === "path");
    expect(inPath.map(({ name }) => `{${name}}`)).toEqual(path.match(/\{\w+\}/g) ?? []);
    for (const { required, example: value } of inPath)
      expect([required, typeof value]).toEqual([true, "string"]);
    const names = parameters.map(({ name, in: where }) => `${where} ${name}`);
    expect(new Set(names).size).toBe(names.length);
  });

  it("describes every route of the app that is not MLflow's own or a page, and no other", () => {
    const others = new Set([...gatewayApp.routes, ...dashboardApp.routes].map(({ path }) => path));
    const routes = app.routes
      .filter(({ method, path }) => method !== "ALL" && !others.has(path))
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)(\{[^}]*\})?/g, "{$1}")}`);
    expect(operations.map(({ name }) => name).sort()).toEqual([...new Set(routes)].sort());
  });

  it("is what /openapi.json answers", async () => {
    const { status, body } = await request("/openapi.json", { token: null });
    expect([status, body]).toEqual([200, JSON.parse(JSON.stringify(api))]);
  });

  it.each(operations)("$name holds examples that its schemas allow", ({ operation }) => {
    const contents = [
      operation.requestBody?.content ?? {},
      ...Object.values(operation.responses).flatMap((response) =>
        "$ref" in response ? [] : [response.content],
      ),
    ];
    for (const { schema, examples = {} } of contents.flatMap((content) => Object.values(content)))
      for (const { value } of Object.values(examples)) matches(api, schema, value);
  });

  it("has examples of problems that its schema allows", () => {
    for (const { content } of Object.values(api.components.responses))
      for (const { schema, example: value } of Object.values(content)) matches(api, schema, value);
  });
});

describe("the events' schemas", () => {
  it("allow each event of the examples, and what they refuse the relay refuses", async () => {
    for (const event of example.wholeStudy) {
      matches(api, { $ref: "#/components/schemas/Event" }, event);
      for (const field of Object.keys(event)) {
        const { [field]: _, ...without } = { ...event } as Record<string, unknown>;
        const allowed = closed(api, { $ref: "#/components/schemas/Event" }).safeParse(without).success;
        const { status } = await post(without);
        expect([event.event, field, allowed]).toEqual([event.event, field, status === 202]);
      }
    }
  });

  it.each([
    { ...example.metricPoints, step: 1.5 },
    { ...example.metricPoints, step: 2 ** 53 },
    { ...example.metricPoints, metric_name: "loss2", metric_value: "many", metrics: undefined },
    { ...example.metricPoints, occurred_at: -1 },
    { ...example.metricPoints, event_id: "x".repeat(256) },
    { ...example.runStart, requested_trials: 0 },
    { ...example.runStop, state: "done" },
    { ...example.trialStart, mlflow_run_id: "abc" },
    { ...example.trialStart, spectral_norm: "yes" },
  ])("refuse %j, as the relay does", async (event) => {
    expect(closed(api, { $ref: "#/components/schemas/Event" }).safeParse(event).success).toBe(false);
    expect((await post(event)).status).toBe(422);
  });

  it.each([
    { ...example.metricPoints, metric_name: "loss2", metric_value: "-inf" },
    { ...example.metricPoints, occurred_at: 1_700_000_000_000, trial_id: 7 },
    { ...example.trialComplete, trial_id: "t9", step: -3, rank: 0, warnings: ["slow"] },
  ])("allow %j, as the relay does", async (event) => {
    matches(api, { $ref: "#/components/schemas/Event" }, event);
    expect((await post(event)).status).toBe(202);
  });
});

describe("what the app does", () => {
  beforeAll(async () => {
    vi.stubGlobal("fetch", emptyMlflow(example.MLFLOW_RUN, example.MLFLOW_EXPERIMENT));
    await post(example.wholeStudy);
    await foldAll();
    const key = example.TRIAL_KEY;
    await storePass(env.DB, 1, 2, { ...NOTHING_DONE, poked_trials: 4 });
    const stream = await env.DB.prepare("select id from streams where key = ?1")
      .bind(key)
      .first<number>("id");
    expect(stream, "the example's trial has the id that the document gives").not.toBeNull();
    await bury(env.DB, { streamId: stream, kind: "metric", item: LETTER, reason: "too long", createdAt: 1 });
    await env.DB.batch([
      env.DB.prepare(
        `insert into conflicts (stream_id, kind, field, kept, refused, source, created_at)
         values (?1, 'param', 'lr', '1', '2', 'journal', 1)`,
      ).bind(stream),
      env.DB.prepare(
        `insert into mlflow_experiments (mlflow_experiment_id, name, lifecycle_stage, synced_at)
         values (?1, 'two-moons', 'active', 1)`,
      ).bind(example.MLFLOW_EXPERIMENT),
      env.DB.prepare(
        `insert into mlflow_runs (mlflow_run_id, mlflow_experiment_id, stream_id, status, lifecycle_stage, synced_at)
         values (?1, ?2, ?3, 'RUNNING', 'active', 1)`,
      ).bind(example.MLFLOW_RUN, example.MLFLOW_EXPERIMENT, stream),
      env.DB.prepare(
        `update streams set mlflow_run_id = ?2, mlflow_experiment_id = ?3, planned_seq = last_seq,
         delivered_seq = last_seq, delivered_at = 1 where id = ?1`,
      ).bind(stream, example.MLFLOW_RUN, example.MLFLOW_EXPERIMENT),
      env.DB.prepare(
        `insert into api_tokens (id, name, hash, scopes, created_at) values (?1, 'cerebros', 'x', 'ingest', 1)`,
      ).bind(example.TOKEN),
      env.DB.prepare(
        `insert into history_pages (mlflow_run_id, key, page, points, read_at)
         values (?1, ?2, -1, '{"pages":1}', 1), (?1, ?2, 0, '[[1,1,0.5]]', 1)`,
      ).bind(example.MLFLOW_RUN, example.METRIC),
      env.DB.prepare(
        `insert into jobs (id, action, target, state, origin, due_at, created_at, updated_at)
         values (?1, 'sync_experiment', 'name:another', 'queued', 'cron', 1, 1, 1)`,
      ).bind(example.JOB),
    ]);
    // The first verdict, so that there is one to read.
    const verified = await request(`/api/ops/trials/${key}/verify`, { method: "POST" });
    expect(verified.body).toMatchObject({ verdict: "differs" });
  });
  afterAll(() => {
    vi.unstubAllGlobals();
  });

  /** An upload of which one part is there. */
  const beginUpload = async () => {
    const key = `${example.UPLOAD}/${crypto.randomUUID()}`;
    const parts = await env.ARTIFACTS.createMultipartUpload(key);
    const { etag } = await parts.uploadPart(1, "first");
    await env.DB.batch([
      env.DB.prepare("insert into loose_objects (key, expires_at) values (?1, 9e15)").bind(key),
      env.DB.prepare(
        `insert or replace into uploads (id, stream_id, path, object_key, multipart_id, expires_at)
         values (?1, (select id from streams where key = ?2), 'by/parts.bin', ?3, ?4, 9e12)`,
      ).bind(example.UPLOAD, example.TRIAL_KEY, key, parts.uploadId),
      env.DB.prepare(
        "insert or replace into upload_parts (upload_id, number, bytes, etag) values (?1, 1, 5, ?2)",
      ).bind(example.UPLOAD, etag),
    ]);
  };
  const before: Record<string, () => Promise<unknown>> = {
    "GET /api/trials/{id}/uploads/{upload}": beginUpload,
    "DELETE /api/trials/{id}/uploads/{upload}": beginUpload,
    "PUT /api/trials/{id}/uploads/{upload}/parts/{number}": beginUpload,
    "POST /api/trials/{id}/uploads/{upload}/complete": beginUpload,
    "POST /api/ops/trials/{id}/unblock": block,
    "POST /api/ops/model-runs/{id}/unblock": block,
    // The first answer that is documented is to an experiment that is followed already.
    "POST /api/sync/watches": () =>
      env.DB.prepare(
        "insert into watches (mlflow_experiment_id, name, created_at) values (?1, null, 1), (null, 'two-moons', 1)",
      )
        .bind(example.MLFLOW_EXPERIMENT)
        .run(),
    "POST /api/sync/jobs/{id}/retry": () =>
      env.DB.prepare("update jobs set state = 'failed' where id = ?1").bind(example.JOB).run(),
  };

  it.each(operations)("$name answers its example with what is documented", async (documented) => {
    const { name, method, operation } = documented;
    await before[name]?.();
    const answers = Object.entries(operation.responses);
    const contents = Object.entries(operation.requestBody?.content ?? {});
    const bodies = contents.flatMap(([type, { examples = {} }]) =>
      Object.values(examples).map(({ value }) => ({
        type,
        body: typeof value === "string" ? value : JSON.stringify(value),
      })),
    );
    for (const { type, body } of bodies.length > 0 ? bodies : [{ type: undefined, body: undefined }]) {
      const length = body ? { "content-length": String(new TextEncoder().encode(body).length) } : {};
      const sent = type ? { "content-type": type, ...length } : {};
      const headers = { authorization: `Bearer ${ADMIN}`, ...sent };
      const response = await ask(addressOf(documented), { method, headers, ...(body ? { body } : {}) });
      const [status, answer] = answers[0] ?? [];
      const text = await response.text();
      expect(String(response.status), text).toBe(status);
      if (!answer || "$ref" in answer) throw new Error("the first response is not the answer");
      const given = response.headers.get("content-type");
      const schema = answer.content[given ?? ""]?.schema;
      if (!schema) throw new Error(`an answer of type ${given} is not documented`);
      matches(api, schema, given === "application/json" ? JSON.parse(text) : text);
    }
  });

  it.each(operations)("$name asks for the scope that is documented", async (documented) => {
    const [security] = documented.operation.security;
    const { status, headers } = await ask(addressOf(documented), { method: documented.method });
    if (!security) return expect(status).toBe(200);
    expect(SCOPES).toContain(security.bearer?.[0]);
    expect([status, headers.get("www-authenticate")]).toEqual([401, 'Bearer realm="trial-relay"']);
    const { token } = z
      .object({ token: z.string() })
      .parse(await made(SCOPES.filter((scope) => scope !== "admin" && scope !== security.bearer?.[0])));
    const refused = await ask(addressOf(documented), {
      method: documented.method,
      headers: { authorization: `Bearer ${token}` },
    });
    const body = await refused.json();
    expect(body).toMatchObject({ status: 403, detail: expect.stringContaining(`'${security.bearer?.[0]}'`) });
    matches(api, { $ref: "#/components/schemas/Problem" }, body);
  });

  it.each(operations.filter(({ operation }) => "400" in operation.responses && !operation.requestBody))(
    "$name takes the query parameters that are documented, and no other",
    async (documented) => {
      const headers = { authorization: `Bearer ${ADMIN}` };
      const response = await ask(addressOf(documented, { zz: "1" }), { method: documented.method, headers });
      const body = await response.json();
      const { parameters = [] } = documented.operation;
      const names = parameters.filter(({ in: where }) => where === "query").map(({ name }) => name);
      const { rule } = z.object({ errors: z.tuple([z.object({ rule: z.string() })]) }).parse(body).errors[0];
      const taken = rule === "must not be given" ? [] : rule.replace("must be one of ", "").split(", ");
      expect(taken.sort()).toEqual(names.sort());
      matches(api, { $ref: "#/components/schemas/Problem" }, body);
    },
  );

  it("takes page sizes up to what is documented", async () => {
    expect((await request("/api/trials?limit=500")).status).toBe(200);
    expect((await request("/api/trials?limit=501")).status).toBe(400);
  });
});

describe("/docs", () => {
  it("has every operation and schema, and loads and runs nothing", async () => {
    const response = await ask("/docs", {});
    const page = await response.text();
    expect([response.status, response.headers.get("content-type")]).toEqual([
      200,
      "text/html; charset=UTF-8",
    ]);
    const anchors = new Set([...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
    for (const { operation } of operations) expect(anchors).toContain(operation.operationId);
    for (const name of Object.keys(api.components.schemas)) expect(anchors).toContain(`schema-${name}`);
    for (const [, to] of page.matchAll(/ href="#([^"]+)"/g)) expect(anchors).toContain(to);
    expect(page).not.toMatch(/<script|<link|<img|<iframe| src=| on\w+=|@import|url\(/i);
    const [, style = ""] = /<style>(.*?)<\/style>/s.exec(page) ?? [];
    const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(style));
    expect(response.headers.get("content-security-policy")).toBe(
      `default-src 'none'; style-src 'sha256-${new Uint8Array(hash).toBase64()}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    );
  });
});

function block() {
  return env.DB.prepare(
    "update streams set blocked_kind = 'gone_run', blocked_reason = 'gone: deleted'",
  ).run();
}

async function made(scopes: string[]) {
  const { body } = await request("/api/ops/tokens", {
    method: "POST",
    body: JSON.stringify({ name: scopes.join(" and "), scopes }),
  });
  return body;
}
