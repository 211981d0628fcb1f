import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { app } from "../../src/app.ts";
import { Invocation } from "../platform/limits.ts";
import { ADMIN, request as ask } from "./api.ts";
import { arrived } from "./arrived.ts";
import { call, newRun } from "./gateway-api.ts";

/** What the relay does not answer itself, with a tracking server in memory behind it. */

type Heard = { method: string; url: string; headers: Headers; body: string };

const hex = () => crypto.randomUUID().replaceAll("-", "");
let count = 0;

class Server {
  readonly heard: Heard[] = [];
  answer: (heard: Heard) => Response | Promise<Response> = () => Response.json({});

  readonly binding: Fetcher = {
    fetch: async (input, init) => {
      const request = new Request(input, init);
      const { method, url, headers } = request;
      const heard = { method, url, headers, body: await request.text() };
      this.heard.push(heard);
      return this.answer(heard);
    },
    connect: () => {
      throw new Error("nobody opens a socket");
    },
  };

  get last(): Heard {
    const last = this.heard.at(-1);
    if (!last) throw new Error("MLflow heard nothing");
    return last;
  }

  path(): string {
    return this.last.url.replace("http://mlflow.test", "");
  }
}

let server: Server;
beforeEach(async () => {
  server = new Server();
  await env.DB.prepare("delete from breakers").run();
});

type Init = RequestInit & { bindings?: object; token?: string };

async function send(path: string, { bindings, token = ADMIN, ...init }: Init = {}) {
  const queue = { send: async () => undefined, sendBatch: async () => undefined };
  const headers = new Headers(init.headers);
  headers.set("authorization", `Bearer ${token}`);
  if (typeof init.body === "string") headers.set("content-length", String(init.body.length));
  const mlflow = { MLFLOW_TRACKING_URI: "http://mlflow.test", MLFLOW_VPC: server.binding };
  // With a bucket the relay answers for the files of its runs itself.
  const all = {
    ...env,
    ARTIFACTS: undefined,
    TRIALS: queue,
    JOBS: queue,
    FILES: queue,
    ...mlflow,
    ...bindings,
  };
  const context = createExecutionContext();
  const bound = { ...all, DB: new Invocation().database(all.DB) };
  const answer = await app.request(path, { ...init, headers }, bound, context);
  await waitOnExecutionContext(context);
  return answer;
}

const post = (path: string, body: object, more: Init = {}) =>
  send(path, {
    method: "POST",
    body: JSON.stringify(body),
    ...more,
    headers: { "content-type": "application/json", ...more.headers },
  });

/** The run is in MLflow from now on. */
const arrive = (run: string, runId: string, root: string) => arrived(run, { runId, root, experimentId: "7" });

/** An experiment and a run in it that MLflow has, by both ids of each. */
async function known() {
  const experiment: string = (await call("experiments/create", { name: hex() })).body.experiment_id;
  const run = await newRun({ experiment_id: experiment });
  const [theirs, number] = [hex(), String(++count)];
  await env.DB.prepare("update gateway_experiments set mlflow_experiment_id = ?2 where id = ?1")
    .bind(experiment, number)
    .run();
  const root = `mlflow-artifacts:/${number}/${theirs}/artifacts`;
  await arrive(run, theirs, root);
  return { experiment, run, number, theirs, root };
}

describe("ids", () => {
  it("are MLflow's in what goes there, and the first ones in what comes back", async () => {
    const { experiment, run, number, theirs } = await known();
    server.answer = () =>
      Response.json({
        model: {
          info: {
            experiment_id: number,
            source_run_id: theirs,
            artifact_uri: `mlflow-artifacts:/${number}/models/m-1/artifacts`,
          },
        },
        big: 1,
      });
    const answer = await post(
      `/api/2.0/mlflow/model-versions/create?run_id=${run}&experiment_ids=${experiment}&experiment_ids=3x`,
      { experiment_id: experiment, source_run_id: run, name: run },
      { headers: { "x-mlflow-experiment-id": experiment } },
    );
    expect(server.path()).toBe(
      `/api/2.0/mlflow/model-versions/create?run_id=${theirs}&experiment_ids=${number}&experiment_ids=3x`,
    );
    expect(JSON.parse(server.last.body)).toEqual({ experiment_id: number, source_run_id: theirs, name: run });
    expect(server.last.headers.get("x-mlflow-experiment-id")).toBe(number);
    expect(await answer.json()).toEqual({
      model: {
        info: {
          experiment_id: experiment,
          source_run_id: run,
          artifact_uri: `mlflow-artifacts:/${experiment}/models/m-1/artifacts`,
        },
      },
      big: 1,
    });
  });

  it("are taken by MLflow's names as well", async () => {
    const { run, theirs, root } = await known();
    await send(`/api/2.0/mlflow/artifacts/list?run_id=${theirs}`);
    expect(server.path()).toContain(theirs);
    server.answer = () => Response.json({ root_uri: root, files: [] });
    const listed = await send(`/api/2.0/mlflow/artifacts/list?run_id=${run}`);
    expect(await listed.json()).toMatchObject({ root_uri: expect.stringContaining(`/${run}/artifacts`) });
  });

  it("are put in without a question where it does not matter where their files are", async () => {
    const { run, theirs } = await known();
    await env.DB.prepare("delete from mlflow_runs where mlflow_run_id = ?1").bind(theirs).run();
    await post("/api/2.0/mlflow/model-versions/create", { source_run_id: run });
    expect(server.heard.map(({ body }) => body)).toEqual([JSON.stringify({ source_run_id: theirs })]);
  });

  it("may be very many", async () => {
    const { run, theirs } = await known();
    const others = Array.from({ length: 60_000 }, hex);
    server.answer = () => Response.json({ run_ids: [...others, theirs] });
    const answer = await send("/api/3.0/mlflow/datasets/d-1/records");
    expect(await answer.json()).toEqual({ run_ids: [...others, run] });
  });

  it("leave what holds none byte for byte", async () => {
    const body = '{"name":  "x", "n": 1.0, "at": 1700000000123456789}';
    server.answer = () => new Response(body, { headers: { "content-type": "application/json" } });
    const answer = await send("/api/2.0/mlflow/registered-models/create", {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
    });
    expect([server.last.body, await answer.text()]).toEqual([body, body]);
  });

  it.each([
    ['{"at": 1700000000123456789, "x": [NaN, -Infinity, "NaN"]}', (text: string) => text],
    ['{"at": 1700000000123456789}', (text: string) => JSON.stringify(text)],
  ])("stand beside numbers that keep their digits, also where %s is read once more", async (body, sent) => {
    await send("/api/2.0/mlflow/registered-models/create", {
      method: "POST",
      body: sent(body),
      headers: { "content-type": "application/json" },
    });
    const wanted = body.replaceAll(" ", "").replace("[NaN,-Infinity,", '["NaN","-Infinity",');
    expect(server.last.body).toBe(wanted);
  });

  it("are put into the paths of artifacts, under the root that MLflow has for the run", async () => {
    const { experiment, run, theirs } = await known();
    await arrive(run, theirs, `mlflow-artifacts:/elsewhere/${theirs}/artifacts`);
    const file = `/api/2.0/mlflow-artifacts/artifacts/${experiment}/${run}/artifacts/a%20b/100%25.bin`;
    await send(file, { method: "PUT", body: "bytes" });
    expect([server.path(), server.last.body]).toEqual([
      `/api/2.0/mlflow-artifacts/artifacts/elsewhere/${theirs}/artifacts/a%20b/100%25.bin`,
      "bytes",
    ]);
    await send(`/ajax-api/2.0/mlflow-artifacts/artifacts?path=${experiment}%2F${run}%2Fartifacts%2Fa`);
    expect(server.path()).toBe(
      `/ajax-api/2.0/mlflow-artifacts/artifacts?${new URLSearchParams({ path: `elsewhere/${theirs}/artifacts/a` })}`,
    );
    await arrive(run, theirs, "s3://bucket/7/artifacts");
    const refused = await send(file, { method: "PUT", body: "bytes" });
    expect([refused.status, await refused.json()]).toEqual([
      501,
      { error_code: "NOT_IMPLEMENTED", message: expect.stringContaining("--serve-artifacts") },
    ]);
    expect(server.heard).toHaveLength(2);
  });
});

describe("files", () => {
  it("come as they are, with what a client needs to know of them, and are never shown by a browser", async () => {
    const { run, theirs } = await known();
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    server.answer = () =>
      new Response(bytes, {
        headers: {
          "content-type": "text/html",
          "content-disposition": "attachment; filename=x.html",
          "content-length": "60000",
          "set-cookie": "session=1",
          server: "uvicorn",
          etag: '"1"',
          "cache-control": "public, max-age=43200",
        },
      });
    const answer = await send(`/get-artifact?run_uuid=${run}&path=x.html`, {
      headers: { range: "bytes=0-" },
    });
    expect(server.path()).toBe(`/get-artifact?run_uuid=${theirs}&path=x.html`);
    expect(server.last.headers.get("range")).toBe("bytes=0-");
    expect(new Uint8Array(await answer.arrayBuffer())).toEqual(bytes);
    const { headers } = answer;
    expect(headers.get("content-disposition")).toBe("attachment; filename=x.html");
    expect([headers.get("etag"), headers.get("content-length")]).toEqual(['"1"', "60000"]);
    expect(headers.get("content-security-policy")).toContain("sandbox");
    expect(headers.get("cache-control")).toBe("private, no-cache");
    expect([headers.get("set-cookie"), headers.get("server")]).toEqual([null, null]);
  });

  it("that MLflow does not serve say nothing of whether it is there, however often they are asked for", async () => {
    const said =
      "Endpoint: /api/2.0/mlflow-artifacts/artifacts disabled due to the mlflow server running with `--no-serve-artifacts`.";
    server.answer = ({ url }) =>
      url.includes("artifacts") ? new Response(said, { status: 503 }) : Response.json({});
    for (let n = 0; n < 10; n++) {
      const answer = await send("/api/2.0/mlflow-artifacts/artifacts?path=0");
      expect([answer.status, await answer.text()]).toEqual([
        501,
        expect.stringContaining("--no-serve-artifacts"),
      ]);
    }
    expect(server.heard.filter(({ url }) => url.includes("artifacts"))).toHaveLength(10);
  });

  it("of JSON are not looked into", async () => {
    const { theirs } = await known();
    const text = JSON.stringify({ run_id: theirs });
    server.answer = () =>
      new Response(text, {
        headers: { "content-type": "application/json", "content-disposition": "attachment; filename=x.json" },
      });
    expect(await (await send(`/get-artifact?run_uuid=${theirs}&path=x.json`)).text()).toBe(text);
  });
});

describe("what signs in", () => {
  const secret = "the-relays-own-secret";

  it("is the relay's own, and comes back in no answer", async () => {
    server.answer = ({ headers }) => Response.json({ seen: headers.get("authorization") });
    const answer = await send("/api/2.0/mlflow/webhooks", {
      headers: {
        cookie: "a=b",
        origin: "http://evil.test",
        host: "evil.test",
        "x-mlflow-workspace": "other",
      },
      bindings: { MLFLOW_TRACKING_TOKEN: secret, MLFLOW_EXTRA_HEADERS: '{"x-team":"vision"}' },
    });
    const { headers } = server.last;
    expect(headers.get("authorization")).toBe(`Bearer ${secret}`);
    expect(headers.get("x-team")).toBe("vision");
    for (const name of ["cookie", "origin", "x-mlflow-workspace"]) expect(headers.get(name)).toBeNull();
    expect(await answer.text()).not.toContain(secret);
  });

  it.each(['pä"ss\\wörd', "<long&word>/1"])(
    "comes back in no answer as JSON writes it: %s",
    async (password) => {
      const ascii = (text: string) =>
        text.replace(/[^\0-\x7f]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
      const bindings = { MLFLOW_TRACKING_USERNAME: "relay", MLFLOW_TRACKING_PASSWORD: password };
      for (const text of [JSON.stringify({ seen: password }), ascii(JSON.stringify({ seen: password }))]) {
        server.answer = () => new Response(text, { headers: { "content-type": "application/json" } });
        const answer = await send("/api/2.0/mlflow/registered-models/get?name=x", { bindings });
        expect(await answer.json()).toEqual({ seen: "[redacted]" });
      }
    },
  );

  it.each(["mlflow", "admin", "1234"])(
    "leaves MLflow's records whole where the password is %s",
    async (password) => {
      const bindings = { MLFLOW_TRACKING_USERNAME: "relay", MLFLOW_TRACKING_PASSWORD: password };
      const record = {
        artifact_uri: "mlflow-artifacts:/x/models/m-1/artifacts",
        tags: [{ key: "mlflow.user", value: "admin" }],
        creation_timestamp: 1_712_345_678,
      };
      server.answer = () => Response.json(record);
      const answer = await send("/api/2.0/mlflow/model-versions/get-download-uri?name=x&version=1", {
        bindings,
      });
      expect(await answer.json()).toEqual(record);
      server.answer = () =>
        Response.json({ error_code: "INTERNAL_ERROR", message: `seen: ${password}` }, { status: 500 });
      const refused = await send("/api/2.0/mlflow/registered-models/get?name=x", { bindings });
      expect(await refused.json()).toEqual({ error_code: "INTERNAL_ERROR", message: "seen: [redacted]" });
    },
  );

  it.each([
    [
      "401 of its middleware",
      () => new Response("no", { status: 401, headers: { "www-authenticate": "Basic" } }),
    ],
    ["a redirect", () => new Response(null, { status: 302, headers: { location: "http://inside.test/" } })],
    ["a gateway's error", () => new Response("<h1>Bad gateway</h1>", { status: 502 })],
    [
      "a database that is down",
      () => Response.json({ error_code: "TEMPORARILY_UNAVAILABLE", message: "x" }, { status: 503 }),
    ],
    [
      "an answer that is cut off",
      () => {
        const cut = new ReadableStream({ pull: (controller) => controller.error(new Error("cut")) });
        return new Response(cut, { headers: { "content-type": "application/json" } });
      },
    ],
    ["no answer", () => Promise.reject(new Error(`connect ${secret}`))],
  ])("%s says that MLflow is away", async (_, answer) => {
    server.answer = answer;
    const response = await send("/api/2.0/mlflow/webhooks", { bindings: { MLFLOW_TRACKING_TOKEN: secret } });
    expect([response.status, response.headers.get("location")]).toEqual([501, null]);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ error_code: "NOT_IMPLEMENTED" });
    expect(text).not.toContain(secret);
  });

  it.each([
    ["its 404 of a record", 404, { error_code: "RESOURCE_DOES_NOT_EXIST", message: "No such model" }],
    ["its own refusal of rights", 403, { error_code: "PERMISSION_DENIED", message: "no" }],
    ["its own failure", 500, { error_code: "INTERNAL_ERROR", message: "x" }],
  ])("%s is passed on", async (_, status, body) => {
    server.answer = () => Response.json(body, { status });
    const response = await send("/api/2.0/mlflow/registered-models/get?name=x");
    expect([response.status, await response.json()]).toEqual([status, body]);
  });
});

describe("a run that MLflow has not heard of", () => {
  it("is brought there first", async () => {
    const [run, theirs] = [await newRun(), hex()];
    const pokes: unknown[] = [];
    const arriving = {
      send: async () => undefined,
      sendBatch: async (messages: Iterable<unknown>) => {
        pokes.push(...messages);
        await arrive(run, theirs, "mlflow-artifacts:/0/x/artifacts");
      },
    };
    const answer = await post(
      "/api/2.0/mlflow/model-versions/create",
      { run_id: run },
      { bindings: { TRIALS: arriving } },
    );
    expect(answer.status).toBe(200);
    expect(pokes).toHaveLength(1);
    expect(JSON.parse(server.last.body)).toEqual({ run_id: theirs });
  });

  it("is asked for again where it does not come in time, and MLflow hears nothing", async () => {
    const run = await newRun();
    const answer = await send(`/api/2.0/mlflow-artifacts/artifacts/0/${run}/artifacts/x`, {
      method: "PUT",
      body: "x",
    });
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(server.heard).toEqual([]);
  });
});

it("a run that waits for an operator is not waited for", async () => {
  const run = await newRun();
  await env.DB.prepare(
    "update streams set blocked_kind = 'refused', blocked_reason = 'no such run' where key = ?1",
  )
    .bind(run)
    .run();
  const answer = await post("/api/2.0/mlflow/model-versions/create", { run_id: run });
  expect([answer.status, await answer.json()]).toMatchObject([
    501,
    { message: expect.stringContaining("no such run") },
  ]);
});

describe("while MLflow is away", () => {
  beforeEach(() =>
    env.DB.prepare(
      `insert into breakers (server, state, failures, probe_at, last_error, updated_at)
       values ('http://mlflow.test', 'open', 5, 0, 'no route to host', 0)`,
    ).run(),
  );

  it.each([
    ["PUT", "/api/2.0/mlflow-artifacts/artifacts/0/x/artifacts/y"],
    ["GET", "/api/2.0/mlflow-artifacts/artifacts?path=0"],
    ["POST", "/api/2.0/mlflow/model-versions/create"],
    ["GET", "/api/2.0/mlflow/registered-models/get?name=x"],
    ["POST", "/api/3.0/mlflow/traces"],
    ["POST", "/v1/traces"],
    ["POST", "/graphql"],
    ["GET", "/get-artifact?run_uuid=x"],
  ])("%s %s is answered at once, and says what goes on", async (method, path) => {
    const init =
      method === "GET" ? { method } : { method, body: "{}", headers: { "content-type": "application/json" } };
    const answer = await send(path, init);
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([501, null]);
    expect(await answer.json()).toEqual({
      error_code: "NOT_IMPLEMENTED",
      message: expect.stringMatching(/no route to host.*metric/),
    });
    expect(server.heard).toEqual([]);
  });
});

describe("who may", () => {
  async function token(scopes: string[]): Promise<string> {
    const made = await ask("/api/ops/tokens", {
      method: "POST",
      body: JSON.stringify({ name: crypto.randomUUID(), scopes }),
    });
    const { body } = made;
    if (typeof body !== "object" || body === null || !("token" in body))
      throw new Error(JSON.stringify(body));
    return String(body.token);
  }

  it("a token that may only ingest reads nothing through the relay, nor does one that may only read change anything", async () => {
    const [ingest, read] = [await token(["ingest"]), await token(["read"])];
    const refused = [
      () => send("/api/2.0/mlflow/registered-models/get?name=x", { token: ingest }),
      () => send("/api/2.0/mlflow/registered-models/get?name=x", { token: ingest, method: "HEAD" }),
      () => post("/api/2.0/mlflow/registered-models/search", {}, { token: ingest }),
      () => post("/api/2.0/mlflow/logged-models/search", {}, { token: ingest }),
      () => post("/graphql", {}, { token: ingest }),
      () => post("/api/2.0/mlflow/logged-models", {}, { token: read }),
      () => send("/api/2.0/mlflow-artifacts/artifacts/0/x", { token: read, method: "DELETE" }),
      () => post("/api/2.0/mlflow/users/create", {}, { token: ingest }),
      () => send("/api/3.0/mlflow/gateway/secrets/list", { token: read }),
      () => send("/version", { token: ingest }),
    ];
    for (const each of refused) expect((await each()).status).toBe(403);
    expect((await send("/graphql", { token: "nobody-knows-this", method: "POST", body: "{}" })).status).toBe(
      401,
    );
    expect(server.heard).toEqual([]);
  });
});

describe("an address", () => {
  it.each([
    "/api/2.0/mlflow/..%2f..%2fadmin",
    "/api/2.0/mlflow/%252e%252e/%252e%252e/admin",
    "/api/2.0/mlflow/runs%2fcreate",
    "/api/2.0/mlflow//runs/create",
    "/api/2.0/mlflow-artifacts/artifacts/0/..%5c..%5cx",
    "/api/2.0/mlflow-artifacts/artifacts?path=0/../../etc",
  ])("%s leads nowhere", async (path) => {
    const answer = await send(path);
    expect([answer.status, await answer.json()]).toEqual([
      400,
      { error_code: "INVALID_PARAMETER_VALUE", message: "Invalid path" },
    ]);
    expect(server.heard).toEqual([]);
  });

  it("that is answered here takes its own methods only, however it is written", async () => {
    for (const path of ["/api/2.0/mlflow/runs/create", "/ajax-api/2.0/mlflow/runs/creat%65/"]) {
      const answer = await send(path, { method: "DELETE" });
      expect([answer.status, answer.headers.get("allow")]).toEqual([405, "OPTIONS, POST"]);
      expect(await answer.json()).toMatchObject({ error_code: "ENDPOINT_NOT_FOUND" });
    }
    expect((await send("/api/2.0/mlflow/registered-models/get", { method: "PROPFIND" })).status).toBe(405);
    expect(server.heard).toEqual([]);
  });

  it("of a file's parts is for nobody", async () => {
    expect((await post("/api/2.0/mlflow-artifacts/mpu/create/0/x", { path: "x", num_parts: 1 })).status).toBe(
      501,
    );
    expect(server.heard).toEqual([]);
  });
});

describe("the server", () => {
  it("has MLflow's version, and takes files whole", async () => {
    server.answer = () => new Response("3.17.2");
    expect(await (await send("/version")).text()).toBe("3.17.2");
    for (const prefix of ["/api", "/ajax-api"]) {
      const info = await send(`${prefix}/3.0/mlflow/server-info`);
      expect(await info.json()).toMatchObject({
        store_type: "SqlStore",
        workspaces_enabled: false,
        multipart_uploads_enabled: false,
      });
    }
  });

  it("refuses JSON that is too much to be looked into", async () => {
    const answer = await post("/api/2.0/mlflow/registered-models/create", { name: "x".repeat(5_100_000) });
    expect(answer.status).toBe(413);
    server.answer = () => Response.json({ text: "x".repeat(10_100_000) });
    const asked = await send("/api/2.0/mlflow/registered-models/search");
    expect([asked.status, await asked.json()]).toMatchObject([501, { error_code: "NOT_IMPLEMENTED" }]);
  });
});
