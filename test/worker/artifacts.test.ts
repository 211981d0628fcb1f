import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { createHash } from "node:crypto";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { app } from "../../src/app.ts";
import { cleanBucket } from "../../src/relay/artifacts/clean.ts";
import { startAnew } from "../../src/store/delivery/blocked.ts";
import { wire } from "../../src/wire.ts";
import { ADMIN, idOf, post, request } from "./api.ts";
import { recordingQueue } from "./job-tools.ts";

/** Files of trials through the door. MLflow is away: nobody listens there. */

const files = recordingQueue();
const BINDINGS = {
  TRIALS: recordingQueue().queue,
  JOBS: recordingQueue().queue,
  FILES: files.queue,
};

const AWAY = { MLFLOW_TRACKING_URI: "http://127.0.0.1:9" };

let trial: string;
beforeAll(async () => {
  await post({ event: "ml.trial.start", model_run_id: "files", trial_id: "t", spectral_norm: false });
  trial = await idOf("t");
});
beforeEach(() => files.sent.splice(0));

type Ask = {
  method?: string;
  body?: BodyInit;
  headers?: Record<string, string>;
  bindings?: object;
};

async function ask(path: string, { headers = {}, bindings = {}, ...init }: Ask = {}) {
  const all = { authorization: `Bearer ${ADMIN}`, ...headers };
  return app.request(
    `/api/trials/${trial}/artifacts${path}`,
    { ...init, headers: all },
    { ...env, ...BINDINGS, ...AWAY, ...bindings },
    createExecutionContext(),
  );
}

/** A text says how long it is, and nothing of its type. */
function put(
  path: string,
  body: string | ReadableStream,
  headers: Record<string, string> = {},
  bindings = {},
) {
  const sent = typeof body === "string" ? new Uint8Array(new TextEncoder().encode(body)) : body;
  const length = sent instanceof Uint8Array ? { "content-length": String(sent.length) } : {};
  return ask(`/${path}`, { method: "PUT", body: sent, headers: { ...length, ...headers }, bindings });
}

async function listed(path = "") {
  const { status, body } = await request(`/api/trials/${trial}/artifacts${path}`, {
    bindings: { ...BINDINGS, ...AWAY },
  });
  expect(status).toBe(200);
  return body as { files: { path: string }[]; mlflow: string };
}

const pathsIn = async (path: string) =>
  (await listed(path === "" ? "" : `?path=${path}`)).files.map((file) => file.path);
const digest = (algorithm: string, text: string, as: "hex" | "base64") =>
  createHash(algorithm).update(text).digest(as);
const objects = async () => (await env.ARTIFACTS.list()).objects.length;

describe("a file", () => {
  test("is kept as it is, and found again in its directory", async () => {
    const text = "a,b\n1,ü\n";
    const answer = await put("made/by.csv", text);
    const sha256 = digest("sha256", text, "hex");
    expect([answer.status, await answer.json()]).toMatchObject([
      200,
      { path: "made/by.csv", bytes: 9, sha256, content_type: "text/csv", version: 1, state: "waiting" },
    ]);
    expect(files.sent.map(({ body }) => body)).toMatchObject([{ kind: "artifact" }]);
    expect((await listed()).files).toContainEqual(
      expect.objectContaining({ path: "made", is_dir: true, bytes: null }),
    );
    expect(await listed("?path=made")).toMatchObject({
      files: [{ path: "made/by.csv", sha256 }],
      mlflow: "none",
    });
    const got = await ask("/made/by.csv");
    expect([got.status, await got.text(), got.headers.get("etag")]).toEqual([200, text, `"${sha256}"`]);
  });

  test("that is empty, or of an unknown length, or both", async () => {
    const some = () => new Blob(["some"]).stream();
    const nothing = () => new Blob([]).stream();
    for (const [path, body, bytes] of [
      ["sizes/empty", "", 0],
      ["sizes/streamed", some(), 4],
      ["sizes/nothing", nothing(), 0],
    ] as const) {
      expect([path, await (await put(path, body)).json()]).toMatchObject([path, { bytes }]);
      expect((await (await ask(`/${path}`)).arrayBuffer()).byteLength).toBe(bytes);
    }
  });

  test("sent again is one object and no new hand-over; other bytes are the next version", async () => {
    await put("again.txt", "one");
    const before = await objects();
    files.sent.splice(0);
    await env.DB.prepare("update artifacts set delivered_version = version where path = 'again.txt'").run();
    expect(await (await put("again.txt", "one")).json()).toMatchObject({ version: 1, state: "delivered" });
    expect([await objects(), files.sent.length]).toEqual([before, 0]);
    expect(await (await put("again.txt", "two")).json()).toMatchObject({ version: 2, state: "waiting" });
    expect(files.sent).toHaveLength(1);
    expect(await (await ask("/again.txt")).text()).toBe("two");
  });

  test("is removed though the queue does not take its message", async () => {
    await put("unheard/a.txt", "1");
    const FILES = { sendBatch: () => Promise.reject(new Error("Queue send failed: 10250")) };
    const removed = await ask("/unheard", { method: "DELETE", bindings: { FILES } });
    expect([removed.status, await removed.json()]).toEqual([200, { removed: 1, complete: true }]);
  });

  test("is removed, alone or with its directory, and comes again", async () => {
    for (const path of ["gone/a", "gone/b/c", "gone.txt"]) await put(path, path);
    expect(await (await ask("/gone", { method: "DELETE" })).json()).toEqual({ removed: 2, complete: true });
    expect((await ask("/gone/a")).status).toBe(404);
    expect((await ask("/gone", { method: "DELETE" })).status).toBe(404);
    expect(await pathsIn("gone")).toEqual([]);
    expect(await (await ask("/gone.txt")).text()).toBe("gone.txt");
    expect((await put("gone/a", "gone/a")).status).toBe(200);
    expect(await (await ask("/gone/a")).text()).toBe("gone/a");
  });

  test.each(["report.html", "drawing.svg", "page.xml", "code.js"])(
    "%s is never run by a browser",
    async (name) => {
      await put(`shown/${name}`, "<script>alert(1)</script>", { "content-type": "text/html" });
      const { headers } = await ask(`/shown/${name}`);
      expect(headers.get("content-disposition")).toBe(`attachment; filename*=UTF-8''${name}`);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("content-security-policy")).toBe("sandbox; default-src 'none'");
    },
  );

  test.each([
    ["types/page", "<html>", {}, "application/octet-stream"],
    ["types/a.PNG", "<html>", {}, "image/png"],
    ["types/b", "x", { "content-type": "image/png" }, "image/png"],
    ["types/c.json", "x", { "content-type": "no type\u00e9" }, "application/json"],
  ])(
    "%s has the type that it was given or its name has: its bytes are not looked at",
    async (path, body, headers, type) => {
      await put(path, body, headers);
      expect((await ask(`/${path}`)).headers.get("content-type")).toBe(type);
    },
  );
});

describe("a checksum", () => {
  const text = "checked";
  const sha = digest("sha256", text, "base64");
  test.each([
    ["Content-MD5", digest("md5", text, "base64"), digest("md5", "other", "base64")],
    ["Digest", `SHA-256=${sha}, unixsum=3`, `sha-256=${digest("sha256", "other", "base64")}`],
    ["Content-Digest", `sha-256=:${sha}:`, `sha-256=:${digest("sha256", "other", "base64")}:`],
    ["Repr-Digest", `sha-256=:${sha}:`, "sha-256=:AAAA:"],
    ["X-Checksum-SHA256", digest("sha256", text, "hex"), "none"],
  ])("%s is held to", async (header, right, wrong) => {
    const before = await objects();
    const refused = await put(`sums/${header}`, text, { [header]: wrong });
    expect([refused.status, await refused.json()]).toMatchObject([400, { errors: [{ field: header }] }]);
    expect([await pathsIn("sums"), await objects()]).toEqual([
      expect.not.arrayContaining([`sums/${header}`]),
      before,
    ]);
    expect((await put(`sums/${header}`, text, { [header]: right })).status).toBe(200);
  });
});

describe("nothing is listed and nothing is left of", () => {
  const dying = (pieces: number) => {
    let left = pieces;
    return new ReadableStream<Uint8Array>({
      pull(controller) {
        if (left-- > 0) controller.enqueue(new Uint8Array(1_000_000));
        else controller.error(new Error("connection lost"));
      },
    });
  };
  test.each([
    ["a body that is shorter than it says", "short", { "content-length": "7" }, {}, 400],
    ["a body whose sender goes away", dying(2), { "content-length": "3000000" }, {}, 400],
    ["a body of no length whose sender goes away", dying(20), {}, {}, 400],
    [
      "a body that is too large by its length",
      "x",
      { "content-length": "1000001" },
      { RELAY_MAX_ARTIFACT_MB: "1" },
      413,
    ],
    [
      "a body that turns out too large",
      new Blob([new Uint8Array(1_000_001)]).stream(),
      {},
      { RELAY_MAX_ARTIFACT_MB: "1" },
      413,
    ],
    ["a body with a coding", "x", { "content-encoding": "gzip" }, {}, 415],
  ])("%s", async (what, body, headers, bindings, status) => {
    const before = await objects();
    const answer = await put("broken.bin", body, headers, bindings);
    expect([what, answer.status]).toEqual([what, status]);
    expect([await pathsIn(""), await objects()]).toEqual([
      expect.not.arrayContaining(["broken.bin"]),
      before,
    ]);
  });
});

describe("a range", () => {
  test.each([
    ["bytes=0-3", 206, "0123", "bytes 0-3/10"],
    ["bytes=7-", 206, "789", "bytes 7-9/10"],
    ["bytes=-2", 206, "89", "bytes 8-9/10"],
    ["bytes=5-99", 206, "56789", "bytes 5-9/10"],
    ["bytes=10-", 416, null, "bytes */10"],
    ["bytes=-0", 416, null, "bytes */10"],
    ["bytes=3-1", 200, "0123456789", null],
    ["bytes=0-1,4-5", 200, "0123456789", null],
    ["lines=1-2", 200, "0123456789", null],
  ])("%s", async (range, status, text, contentRange) => {
    await put("range.txt", "0123456789");
    const answer = await ask("/range.txt", { headers: { range } });
    expect([answer.status, answer.headers.get("content-range")]).toEqual([status, contentRange]);
    if (text !== null) expect(await answer.text()).toBe(text);
  });

  test("and what is known already is not sent again", async () => {
    const { headers } = await put("etag.txt", "known").then(() => ask("/etag.txt"));
    const etag = headers.get("etag") ?? "";
    const same = await ask("/etag.txt", { headers: { "if-none-match": `"x", W/${etag}` } });
    expect([same.status, await same.text()]).toEqual([304, ""]);
    const stale = await ask("/etag.txt", { headers: { range: "bytes=0-0", "if-range": '"old"' } });
    expect([stale.status, await stale.text()]).toEqual([200, "known"]);
    const head = await ask("/etag.txt", { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "5", ""]);
  });
});

describe("a path that leads out of the run, or is none, is refused", () => {
  test.each([
    "%2e%2e%2fsecret",
    "a%2f..%2fb",
    "a/%252e%252e/b",
    "%25252e%25252e",
    "a%5Cb",
    "..%5c..%5cb",
    "a//b",
    "a/",
    "%2Fetc%2Fpasswd",
    "c:%2Fx",
    "file:%2F%2F%2Fx",
    "a%00b",
    "a%7Fb",
    "a%23b",
    "x".repeat(256),
    "x/".repeat(501),
  ])("%s", async (path) => {
    for (const method of ["PUT", "GET", "DELETE"]) {
      const answer = await ask(`/${path}`, { method, ...(method === "PUT" ? { body: "x" } : {}) });
      expect([method, answer.status, await answer.json()]).toMatchObject([
        method,
        400,
        { errors: [{ field: "path" }] },
      ]);
    }
  });

  test.each(["a/%2E%2E/%2E%2E/b", "a%0Ab"])("%s is no address of a file at all", async (path) => {
    expect((await put(path, "x")).status).toBe(404);
  });

  test.each(["100%25.txt", "ü (1) +&=?.txt".replace("?", "%3F"), "a.b..c", "...", "x".repeat(255)])(
    "but not %s",
    async (path) => {
      expect((await put(`odd/${path}`, path)).status).toBe(200);
      expect(await (await ask(`/odd/${path}`)).text()).toBe(path);
    },
  );
});

test("no path is a file and a directory", async () => {
  await put("both/file", "x");
  for (const path of ["both", "both/file/more"]) {
    const answer = await put(path, "y");
    expect([path, answer.status, await answer.json()]).toMatchObject([
      path,
      409,
      { detail: expect.stringContaining("both/file") },
    ]);
  }
  await ask("/both/file", { method: "DELETE" });
  expect((await put("both", "y")).status).toBe(200);
});

test("what the relay has goes again where its run is made anew", async () => {
  await put("anew.txt", "x");
  await env.DB.batch([
    env.DB.prepare("update artifacts set delivered_version = version"),
    env.DB.prepare("update streams set lease_token = 'held' where key = ?1").bind(trial),
  ]);
  const state = async () => (await listed()).files.find(({ path }) => path === "anew.txt");
  expect(await state()).toMatchObject({ state: "delivered" });
  const streamId = await env.DB.prepare("select id from streams where key = ?1")
    .bind(trial)
    .first<number>("id");
  expect(await startAnew(env.DB, { streamId: streamId ?? 0, token: "held", ms: 0 })).toBe(true);
  expect(await state()).toMatchObject({ state: "waiting", delivered_at: null });
});

test("of many uploads of one path at once one stands, whole", async () => {
  const texts = ["aaa", "bbb", "ccc", "ddd", "aaa"];
  const answers = await Promise.all(texts.map((text) => put("race.txt", text)));
  expect(answers.map(({ status }) => status)).toEqual(texts.map(() => 200));
  const { files } = await listed();
  const text = await (await ask("/race.txt")).text();
  expect(files.find(({ path }) => path === "race.txt")).toMatchObject({
    sha256: digest("sha256", text, "hex"),
  });
});

test("what no file has is deleted from the bucket, once its time is over", async () => {
  await put("old.txt", "first");
  await put("old.txt", "second");
  await env.ARTIFACTS.put("a broken upload", "x");
  await env.DB.prepare("insert into loose_objects (key, expires_at) values ('a broken upload', 0)").run();
  const deps = wire({ ...env, ...BINDINGS }, {});
  const hours = (n: number) => ({ ...deps, now: () => Date.now() + n * 3_600_000 });
  expect(await cleanBucket(hours(0))).toBe(1);
  expect(await cleanBucket(hours(2))).toBeGreaterThan(0);
  expect(await cleanBucket(hours(2))).toBe(0);
  const files = await env.DB.prepare(
    "select object_key as key from artifacts where object_key is not null",
  ).all<{ key: string }>();
  const kept = (await env.ARTIFACTS.list()).objects.map(({ key }) => key).sort();
  expect(kept).toEqual(files.results.map(({ key }) => key).sort());
  expect(await (await ask("/old.txt")).text()).toBe("second");
});

test("a token needs the scope, and a trial must be there", async () => {
  for (const [method, path] of [
    ["PUT", "/x"],
    ["GET", "/x"],
    ["DELETE", "/x"],
    ["GET", ""],
  ] as const)
    expect((await ask(path, { method, headers: { authorization: "Bearer nobody" } })).status).toBe(401);
  const nobodys = await app.request(
    `/api/trials/${"0".repeat(32)}/artifacts/x`,
    { method: "PUT", body: "x", headers: { authorization: `Bearer ${ADMIN}` } },
    { ...env, ...BINDINGS, ...AWAY },
    createExecutionContext(),
  );
  expect(nobodys.status).toBe(404);
});

test("without a bucket an upload says what is missing, and what is there is told from what is not", async () => {
  const answer = await put("x.txt", "x", {}, { ARTIFACTS: undefined });
  expect([answer.status, await answer.json()]).toMatchObject([501, { error: "not_implemented" }]);
  expect((await ask("/x.txt", { bindings: { ARTIFACTS: undefined } })).status).toBe(404);
});
