import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { app } from "../../src/app.ts";
import { MAX_EVENT_BYTES, MAX_JSON_DEPTH, MAX_REQUEST_BYTES } from "../../src/domain/limits.ts";
import { ADMIN, request } from "./api.ts";
import { metric, start } from "./payloads.ts";

const JSON_TYPE = "application/json";
const NDJSON = "application/x-ndjson";

const send = (body: BodyInit, headers: Record<string, string> = {}) =>
  request("/api/events/ml", { method: "POST", body, headers: { "content-type": JSON_TYPE, ...headers } });

const utf8 = (text: string) => new TextEncoder().encode(text);
const latin1 = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));

async function packed(bytes: Uint8Array | string, format: CompressionFormat): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream(format));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
type CompressionFormat = "gzip" | "deflate" | "deflate-raw";

describe("a body's bytes", () => {
  it.each([
    ["Latin-1", latin1('{"event":"ml.trial.start","model_run_id":"m","trial_id":"é"}')],
    ["UTF-16", new Uint8Array([0xff, 0xfe, 0x7b, 0, 0x7d, 0])],
    ["a surrogate in UTF-8", new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ["an overlong slash", new Uint8Array([0x22, 0xc0, 0xaf, 0x22])],
    ["a character that is cut off", utf8('{"a":"é').slice(0, -1)],
  ])("are refused when they are %s", async (_, bytes) => {
    const { status, body } = await send(bytes);
    expect([status, body]).toMatchObject([
      400,
      { error: "invalid_json", errors: [{ field: "body", rule: "must be UTF-8" }] },
    ]);
  });

  it("make no two ids of one where they are escaped halves of a character", async () => {
    for (const id of ["\\ud800", "\\udc00", "x\\ud83dx", "a\\u0000b"]) {
      const { status, body } = await send(
        `{"event":"ml.trial.start","model_run_id":"m","trial_id":"${id}","spectral_norm":true}`,
      );
      expect([status, body]).toMatchObject([422, { errors: [{ field: "trial_id" }] }]);
    }
    expect((await send(JSON.stringify(start("🏃")))).status).toBe(202);
  });

  it.each([
    ["/api/sync/watches", '{"experiment_name":"TEXT"}', "experiment_name"],
    ["/api/sync/experiments", '{"experiment_name":"TEXT"}', "experiment_name"],
    ["/api/ops/tokens", '{"name":"TEXT","scopes":["read"]}', "name"],
    ["/api/ops/backfill", '{"model_run_id":"TEXT"}', "model_run_id"],
  ])("name nothing else either: POST %s", async (path, written, field) => {
    for (const text of ["\\ud800", "x\\ud83dx", "a\\u0000b"]) {
      const { status, body } = await request(path, { method: "POST", body: written.replace("TEXT", text) });
      expect([status, body]).toMatchObject([
        400,
        { errors: [{ field, rule: "must be well-formed text without NUL characters" }] },
      ]);
    }
  });

  it("may begin with a byte order mark", async () => {
    expect((await send(`\ufeff${JSON.stringify(start("bom"))}`)).status).toBe(202);
  });

  it("are judged line by line in NDJSON", async () => {
    const lines = [
      ...utf8(`${JSON.stringify(start("n1"))}\n`),
      ...latin1('{"trial_id":"é"}\r\n'),
      ...utf8(`${"[".repeat(3_500)}${"]".repeat(3_500)}\n\n  \t\n`),
      ...utf8(JSON.stringify(start("n2"))),
    ];
    const { body } = await send(new Uint8Array(lines), { "content-type": NDJSON });
    expect(body).toMatchObject({
      accepted: 2,
      rejected: 2,
      results: [
        { success: true },
        { status: 400, error: "invalid_json", errors: [{ index: 1, rule: "must be UTF-8" }] },
        { status: 422, error: "event_construction_failed" },
        { success: true },
      ],
    });
  });

  it.each([
    "application/json; charset=utf-8",
    'APPLICATION/JSON;Charset="UTF-8"',
    "application/json; charset=us-ascii; v=1",
  ])("may be announced as %s", async (type) => {
    expect((await send(JSON.stringify(start("typed")), { "content-type": type })).status).toBe(202);
  });

  it.each([
    ["application/json; charset=latin-1", "the charset latin-1"],
    ["application/json;charset=utf-16", "the charset utf-16"],
    ["application/x-ndjson; charset=iso-8859-1", "the charset iso-8859-1"],
    ["application/json; charset=", "the charset"],
    ["text/json", "got text/json"],
    ["application/jsonx", "got application/jsonx"],
  ])("may not be announced as %s", async (type, detail) => {
    const { status, body } = await send(JSON.stringify(start("typed")), { "content-type": type });
    expect([status, body]).toMatchObject([
      415,
      { error: "unsupported_media_type", detail: expect.stringContaining(detail) },
    ]);
  });
});

describe("a packed body", () => {
  const lines = Array.from({ length: 2_000 }, (_, step) =>
    metric("packed", { step, metrics: { loss: 1 / (step + 1) } }),
  );

  it.each([
    ["gzip", "gzip"],
    ["x-gzip", "gzip"],
    ["GZip", "gzip"],
    ["deflate", "deflate"],
    ["deflate", "deflate-raw"],
  ] as const)("is taken as %s (%s)", async (coding, format) => {
    const events = lines.map((line) => ({ ...line, trial_id: `packed ${coding} ${format}` }));
    for (const body of [JSON.stringify(events), events.map((event) => JSON.stringify(event)).join("\n")]) {
      const type = body.startsWith("[") ? JSON_TYPE : NDJSON;
      const answer = await send(await packed(body, format), {
        "content-encoding": coding,
        "content-type": type,
      });
      expect([answer.status, answer.body]).toMatchObject([202, { rejected: 0 }]);
    }
  });

  it.each(["gzip", "deflate", "deflate-raw"] as const)(
    "is taken in whatever pieces it comes (%s)",
    async (format) => {
      for (const first of [0, 1, 2, 3]) {
        const bytes = await packed(JSON.stringify(start(`pieces ${format} ${first}`)), format);
        const pieces = new ReadableStream<Uint8Array>({
          start(controller) {
            controller.enqueue(bytes.slice(0, first));
            controller.enqueue(bytes.slice(first));
            controller.close();
          },
        });
        const coding = format === "gzip" ? "gzip" : "deflate";
        expect([first, (await send(pieces, { "content-encoding": coding })).status]).toEqual([first, 202]);
      }
    },
  );

  it("is taken as it is where the coding is identity", async () => {
    expect((await send(JSON.stringify(start("as it is")), { "content-encoding": "identity" })).status).toBe(
      202,
    );
  });

  it.each(["br", "zstd", "compress", "gzip, gzip", "gzip, identity", "*"])(
    "is refused as %s",
    async (coding) => {
      const { status, headers, body } = await send(JSON.stringify(start("x")), {
        "content-encoding": coding,
      });
      expect([status, headers.get("accept-encoding"), body]).toMatchObject([
        415,
        "gzip, deflate, identity",
        { error: "unsupported_media_type", detail: expect.stringContaining(coding) },
      ]);
    },
  );

  it.each([
    ["cut short", (bytes: Uint8Array) => bytes.slice(0, -5)],
    ["followed by something", (bytes: Uint8Array) => new Uint8Array([...bytes, 7])],
    ["damaged", (bytes: Uint8Array) => bytes.map((byte, i) => (i === 20 ? byte ^ 0xff : byte))],
    ["not packed at all", () => utf8(JSON.stringify(start("x")))],
    ["empty", () => new Uint8Array()],
  ])("is refused when it is %s", async (_, change) => {
    const bytes = await packed(JSON.stringify(lines), "gzip");
    const { status, body } = await send(change(bytes), { "content-encoding": "gzip" });
    expect([status, body]).toMatchObject([
      400,
      { errors: [{ field: "body", rule: expect.stringContaining("gzip") }] },
    ]);
  });

  it.each(["gzip", "deflate", "deflate-raw"] as const)(
    "that is a bomb (%s) is refused before it has all come",
    async (format) => {
      const bomb = await packed(new Uint8Array(20 * MAX_REQUEST_BYTES), format);
      let sent = 0;
      const endless = new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.enqueue(bomb.slice(sent, sent + 4_096));
          sent += 4_096;
        },
      });
      const coding = format === "gzip" ? "gzip" : "deflate";
      const { status, body } = await send(endless, { "content-encoding": coding });
      expect([status, body]).toMatchObject([413, { error: "payload_too_large" }]);
      expect(sent).toBeLessThan(bomb.length / 5);
    },
  );
});

describe("what nests too deep", () => {
  const nested = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;
  const event = (levels: number) =>
    `{"event":"ml.trial.start","model_run_id":"m","trial_id":"deep","spectral_norm":true,"metadata":{"x":${nested(levels)}}}`;

  it("is taken up to the bound, and folds", async () => {
    expect((await send(event(MAX_JSON_DEPTH - 2))).status).toBe(202);
  });

  it.each([MAX_JSON_DEPTH - 1, 2_500, 3_500, 200_000])(
    "is refused at %d levels, by itself",
    async (levels) => {
      const alone = await send(event(levels));
      expect([alone.status, alone.body]).toMatchObject([
        422,
        {
          error: "event_construction_failed",
          errors: [{ field: "metadata", rule: `must nest at most ${MAX_JSON_DEPTH} deep` }],
        },
      ]);
      const good = JSON.stringify(start(`beside ${levels}`));
      expect((await send(`[${good},${event(levels)}]`)).body).toMatchObject({ accepted: 1, rejected: 1 });
    },
  );

  it.each([
    ["POST", "/api/ops/tokens"],
    ["POST", "/api/ops/backfill"],
    ["POST", "/api/ops/dead-letters/replay"],
    ["POST", "/api/ops/dead-letters/drop"],
    ["POST", "/api/ops/conflicts/resolve"],
    ["POST", "/api/sync/watches"],
    ["POST", "/api/sync/experiments"],
  ])("is refused by %s %s, as are a wrong type and too many bytes", async (method, path) => {
    const ask = (body: string, type = JSON_TYPE) =>
      request(path, { method, body, headers: { "content-type": type } });
    expect(await ask(`{"filter":${nested(3_500)}}`)).toMatchObject({
      status: 422,
      body: { error: "too_deep", errors: [{ field: "filter" }] },
    });
    const named = await ask(`{"${"x".repeat(900_000)}":${nested(200)}}`);
    expect([named.status, JSON.stringify(named.body).length < 5_000]).toEqual([422, true]);
    expect(await ask("{}", "application/x-www-form-urlencoded")).toMatchObject({ status: 415 });
    expect(await ask("{}", "application/json; charset=utf-16")).toMatchObject({ status: 415 });
    expect(await ask(`{"name":"${"x".repeat(1_000_000)}"}`)).toMatchObject({ status: 413 });
    expect(await ask("x".repeat(100))).toMatchObject({ status: 400, body: { error: "invalid_request" } });
  });
});

describe("an event's size", () => {
  const LONG = "x".repeat(200);
  const leaves = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [n.toString(36), 1]));

  it.each([
    ["parameters", start("flat parameters", { parameters: { [LONG]: leaves(3_000) } })],
    ["metadata", start("flat metadata", { metadata: { [LONG]: leaves(3_000) } })],
    [
      "metrics of an end without a step",
      {
        event: "ml.trial.complete",
        model_run_id: "m",
        trial_id: "flat end",
        spectral_norm: true,
        metrics: { [LONG]: leaves(3_000) },
      },
    ],
  ])("is that of its flattened %s, of which there is as much as there is room for", async (_, event) => {
    const { status, body } = await send(JSON.stringify(event));
    expect([status, body]).toMatchObject([202, { warnings: { length: 100 } }]);
    expect(body).toHaveProperty("more_warnings");
    const size =
      "select length(e.facts) as n from events e join streams s on s.id = e.stream_id where s.trial_id = ?1";
    const bytes = await env.DB.prepare(size).bind(event.trial_id).first<number>("n");
    expect(bytes).toBeGreaterThan(MAX_EVENT_BYTES / 2);
    expect(bytes).toBeLessThanOrEqual(MAX_EVENT_BYTES);
  });

  it("is that of its flattened metrics with a step, and too many of them cost nothing beside it", async () => {
    const text = JSON.stringify(metric("flat", { step: 1, metrics: { [LONG]: leaves(5_000) } }));
    expect(text.length).toBeLessThan(60_000);
    expect(await send(text)).toMatchObject({ status: 413, body: { error: "event_too_large" } });
    expect((await send(`[${JSON.stringify(start("beside the large"))},${text}]`)).body).toMatchObject({
      accepted: 1,
      rejected: 1,
      results: [{ success: true }, { status: 413 }],
    });
  });

  it("counts for the whole request", async () => {
    const events = Array.from({ length: 60 }, (_, n) =>
      start(`many ${n}`, { parameters: { [LONG]: leaves(1_000) } }),
    );
    const { status, body } = await send(JSON.stringify(events));
    expect([status, body]).toMatchObject([
      413,
      { error: "payload_too_large", detail: expect.stringContaining("flattened") },
    ]);
  });

  it("has a bound on the values in a request, which is looked at before any is made", async () => {
    const { status, body } = await send(`{"a":[${"[],".repeat(300_000)}[]]}`);
    expect([status, body]).toMatchObject([
      413,
      { error: "payload_too_large", detail: expect.stringContaining("values") },
    ]);
  });
});

describe("ids that are numbers", () => {
  const named = (id: string) =>
    send(`{"event":"ml.trial.start","model_run_id":"numbers","trial_id":${id},"spectral_norm":true}`);

  it("are taken when they are whole, with all their digits", async () => {
    for (const id of ["7", "9007199254740992", "9007199254740993", "-3"])
      expect((await named(id)).status).toBe(202);
    const { body } = await request("/api/trials?model_run_id=numbers&sort=created_at");
    const { trials } = z.object({ trials: z.array(z.object({ trial_id: z.string() })) }).parse(body);
    expect(trials.map(({ trial_id }) => trial_id).sort()).toEqual([
      "-3",
      "7",
      "9007199254740992",
      "9007199254740993",
    ]);
  });

  it.each(["0.1", "12345678901234567890.5", "1e400", "1e22"])(
    "are refused where two of them might become one: %s",
    async (id) => {
      expect(await named(id)).toMatchObject({ status: 422, body: { errors: [{ field: "trial_id" }] } });
    },
  );
});

describe("a request that is refused is read to its end, so that its client hears why:", () => {
  const PIECE = new Uint8Array(1_000_000).fill(0x20);
  const PIECES = 8;
  const file = `/api/2.0/mlflow-artifacts/artifacts/0/${"f".repeat(32)}/artifacts/x`;
  const length = { "content-length": String(PIECES * PIECE.length) };

  it.each<[string, string, string, number, Record<string, string>]>([
    ["more than may be", "POST", "/api/events/ml", 413, { "content-type": JSON_TYPE }],
    ["more as it says", "POST", "/api/events/ml", 413, { "content-type": JSON_TYPE, ...length }],
    ["another type", "POST", "/api/events/ml", 415, { "content-type": "text/plain" }],
    [
      "more of an MLflow client's",
      "POST",
      "/api/2.0/mlflow/runs/log-batch",
      413,
      { "content-type": JSON_TYPE },
    ],
    ["a file without a token", "PUT", file, 401, { authorization: "Bearer wrong", ...length }],
    ["no such address", "PUT", "/api/nothing", 404, {}],
  ])("%s", async (_, method, path, status, headers) => {
    let sent = 0;
    const body = new ReadableStream({
      pull(controller) {
        controller.enqueue(PIECE);
        if (++sent === PIECES) controller.close();
      },
    });
    const init = { method, body, headers: { authorization: `Bearer ${ADMIN}`, ...headers } };
    const answer = await app.request(path, init, env, createExecutionContext());
    expect([answer.status, sent]).toEqual([status, PIECES]);
  });
});
