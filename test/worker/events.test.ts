import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { idOf, post, request } from "./api.ts";
import {
  metric,
  runMetric,
  runStart,
  runStop,
  start,
  trialComplete,
  trialFailed,
  trialStart,
} from "./payloads.ts";

const UUID_7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const NDJSON = { "content-type": "application/x-ndjson" };

async function trial(trialId: string) {
  const { body } = await request(`/api/trials/${await idOf(trialId)}`);
  return body;
}

const accepted = z.object({ event_id: z.string(), correlation_id: z.string() });

describe("one event", () => {
  it.each([
    runStart,
    trialStart,
    runMetric,
    trialComplete,
    trialFailed,
    runStop,
    {
      event: "ml.run.stop",
      model_run_id: "2",
      state: "failed",
      completed_trials: 0,
      error_message: "no space",
    },
    { event: "ml.run.stop", model_run_id: "3", state: "cancelled", completed_trials: 1 },
    { event: "ml.trial.skipped", model_run_id: "m", trial_id: "trial_014" },
    { event: "ml.trial.cancelled", model_run_id: "m", trial_id: "trial_015", error_message: "pre-empted" },
  ])("$event is answered as the original answers it", async (event) => {
    const { status, headers, body } = await post(event);
    expect(status).toBe(202);
    expect(headers.get("content-type")).toContain("application/json");
    expect(body).toEqual({
      success: true,
      event_id: expect.any(String),
      event_name: event.event,
      correlation_id: expect.stringMatching(UUID_7),
      message: "Event accepted for processing",
    });
  });

  it("is kept with all that it said", async () => {
    expect(await trial("trial_007")).toMatchObject({
      status: "succeeded",
      rank: 3,
      duration_ms: 243600,
      parameters: { SAMPLES_TO_CREATE: "230", learning_rate: "0.000734", activation: "swish", epochs: "41" },
      fields: {
        mlflow_run_id: "4b8f0c2d9e7a4f16b3d5c1a87e6f9023",
        artifact_uri: "s3://thunderline-models/run_123/trial_007",
        warnings: [],
      },
      metrics: {
        loss: { last: 2.0639 },
        perplexity: { last: 7.876600742340088 },
        val_perplexity: { last: 123359, last_step: 1 },
      },
    });
    expect(await trial("trial_013")).toMatchObject({
      status: "failed",
      spectral_norm: false,
      fields: { error_message: "CUDA out of memory", error_type: "OOM" },
    });
    expect(await trial("trial_014")).toMatchObject({ status: "skipped" });
    expect(await trial("trial_015")).toMatchObject({ status: "cancelled" });
  });

  it("may nest its metrics and parameters, which are flattened with dots", async () => {
    await post({
      ...start("nested"),
      event: "ml.trial.complete",
      metrics: { train: { accuracy: 0.98, loss: 0.02 }, val: { accuracy: 0.95, loss: 0.05 } },
      parameters: {
        architecture: { hidden_sizes: [128, 256, 128], activation: "relu" },
        training: { learning_rate: 0.001, batch_size: 32, shuffle: true, seed: null },
      },
    });
    expect(await trial("nested")).toMatchObject({
      metrics: { "train.accuracy": { last: 0.98 }, "val.loss": { last: 0.05 } },
      parameters: {
        "architecture.hidden_sizes": "[128, 256, 128]",
        "architecture.activation": "relu",
        "training.learning_rate": "0.001",
        "training.shuffle": "True",
        "training.seed": "None",
      },
    });
  });

  it("may hold several metrics, NaN and infinities, as text or as Python's bare tokens", async () => {
    const text = JSON.stringify(metric("special", { step: 1, metrics: { a: "NaN", b: "-inf", c: 1 } }));
    await post(text.replace('"c":1', '"c":Infinity,"d":-Infinity,"e":NaN,"f":-1e-300'));
    expect(await trial("special")).toMatchObject({
      metrics: {
        a: { last: "NaN" },
        b: { last: "-Infinity" },
        c: { last: "Infinity" },
        d: { last: "-Infinity" },
        e: { last: "NaN", min: null, max: null },
        f: { last: -1e-300 },
      },
    });
  });

  it("keeps a long integer exactly, as a parameter", async () => {
    const text = JSON.stringify(start("seed", { parameters: { seed: 1, layers: [2] } }));
    await post(
      text.replace('"seed":1', '"seed":12345678901234567890').replace("[2]", "[9007199254740993,2]"),
    );
    expect(await trial("seed")).toMatchObject({
      parameters: { seed: "12345678901234567890", layers: "[9007199254740993, 2]" },
    });
  });

  it("keeps numbers of parameters as they were sent, and says the rest as Python does", async () => {
    const text = JSON.stringify(
      start("python", { parameters: { seed: null, cudnn: true, extra: {}, x: 1 } }),
    );
    await post(text.replace('"x":1', '"lr":1e-05,"dropout":1.0,"betas":[0.9,1e-8],"warmup":NaN'));
    expect(await trial("python")).toMatchObject({
      parameters: {
        seed: "None",
        cudnn: "True",
        extra: "{}",
        lr: "1e-05",
        dropout: "1.0",
        betas: "[0.9, 1e-8]",
        warmup: "nan",
      },
    });
  });

  it("may leave optional fields null, or number its ids", async () => {
    const optional = { event_id: null, occurred_at: null, correlation_id: null, metadata: null, actor: null };
    const { status, body } = await post({
      ...start("nulls", optional),
      trial_id: 8,
      mlflow_run_id: null,
      parameters: null,
      candidate_id: null,
      resume: null,
    });
    expect(status).toBe(202);
    expect(body).not.toHaveProperty("warnings");
    expect(await trial("8")).toMatchObject({ trial_id: "8", status: "running" });
  });

  it("keeps its own ids and time, of whatever form", async () => {
    const { body } = await post(
      start("own", { event_id: "e-1", correlation_id: "corr-123", occurred_at: "2026-01-31T12:00:00+01:00" }),
    );
    expect(body).toMatchObject({ event_id: "e-1", correlation_id: "corr-123" });
    expect(await trial("own")).toMatchObject({ started_at: "2026-01-31T11:00:00.000Z" });
  });

  it.each([
    ["a request of its own", (text: string) => text, {}, "warnings"],
    ["a list", (text: string) => `[{"event":"ml.run.metric","event":1},${text}]`, {}, "results"],
    [
      "NDJSON",
      (text: string) => `{"event":"ml.run.metric","event":1}\n${text}`,
      { "content-type": "application/x-ndjson" },
      "results",
    ],
  ])(
    "that has a name twice is taken with the last and warned of, in %s",
    async (_, written, headers, where) => {
      const text =
        '{"event":"ml.run.metric","model_run_id":"m","trial_id":"doubled","step":1,"metrics":{"a":{"loss":1,"loss":2},"b":3}}';
      const warnings = [
        {
          field: "metrics.a.loss",
          value: "2",
          rule: expect.stringContaining("the last one"),
          action: "left_out",
        },
      ];
      const { status, body } = await post(written(text), headers);
      expect(status).toBe(202);
      expect(body).toMatchObject({
        [where]: where === "warnings" ? warnings : [{ error: "validation_failed" }, { warnings }],
      });
    },
  );

  it("is warned of what was not taken as it was sent, and loses nothing else", async () => {
    const { status, body } = await post(
      start("typo", { paramters: { lr: 1 }, params: { lr: 2 }, metadata: { "bad key!": 1 } }),
    );
    expect(status).toBe(202);
    expect(body).toMatchObject({
      warnings: [
        { field: "params", value: '{"lr":2}', rule: "is written parameters", action: "renamed" },
        {
          field: "paramters",
          value: '{"lr":1}',
          rule: "is not a field of ml.trial.start, which has parameters as well",
          action: "left_out",
        },
        {
          field: "metadata.bad key!",
          value: "1",
          rule: expect.stringContaining("has a name that may only contain"),
          action: "not_sent",
        },
      ],
    });
    const end = await post({
      ...start("typo"),
      event: "ml.trial.complete",
      metrics: { loss: 0.4, "acc@5": 0.9, host: "n1", x: null, auc: "0.52" },
      duration_ms: 1234.567,
      rank: "1",
      candidate_id: 7,
    });
    expect(end).toMatchObject({ status: 202, body: { warnings: expect.any(Array) } });
    expect(await trial("typo")).toMatchObject({
      status: "succeeded",
      metrics: { loss: { last: 0.4 }, auc: { last: 0.52 } },
      parameters: { lr: "2" },
      rank: 1,
      duration_ms: 1235,
      fields: { candidate_id: "7" },
    });
  });

  it.each(["constructor", "toString", "größe/Länge 1:a-b.c", ".hidden/..."])(
    "may name a metric and a parameter %s",
    async (key) => {
      const id = `named ${key}`;
      const text = JSON.stringify({
        ...start(id),
        event: "ml.trial.complete",
        metrics: { x: 1 },
        parameters: { x: 2 },
      });
      const { status, body } = await post(text.replaceAll('"x"', JSON.stringify(key)));
      expect([status, body]).toMatchObject([202, { success: true }]);
      const named = metric(`${id} too`, {
        metric_name: key,
        metric_value: 3,
        metrics: { other: 1 },
        step: 1,
      });
      expect(await post(named)).toMatchObject({ status: 202 });
      const read = z
        .object({ metrics: z.looseObject({}), parameters: z.looseObject({}) })
        .parse(await trial(id));
      expect(Object.keys(read.metrics)).toEqual([key]);
      expect(Object.keys(read.parameters)).toEqual([key]);
    },
  );
});

describe("many events", () => {
  const bad = [
    metric("many", { metric_name: "x", metric_value: "high", step: 1 }),
    { event: "ml.trial.began" },
    start("", {}),
  ];
  const good = [1, 2, 3].map((step) =>
    metric("many", { metric_name: "loss", metric_value: step / 10, step }),
  );

  it("are taken one by one, the good beside the bad", async () => {
    const { status, headers, body } = await post([good[0], bad[0], good[1], bad[1], good[2], bad[2]]);
    expect(status).toBe(202);
    expect(headers.get("idempotent-replayed")).toBeNull();
    const fine = { success: true, event_name: "ml.run.metric", message: "Event accepted for processing" };
    expect(body).toMatchObject({
      success: true,
      accepted: 3,
      duplicates: 0,
      rejected: 3,
      results: [
        { index: 0, ...fine },
        {
          index: 1,
          success: false,
          error: "event_construction_failed",
          status: 422,
          errors: [
            {
              index: 1,
              field: "metric_value",
              rule: expect.stringContaining("must be a number"),
              value: '"high"',
            },
          ],
        },
        { index: 2, ...fine },
        {
          index: 3,
          error: "unknown_event_type",
          status: 400,
          received: "ml.trial.began",
          errors: [{ index: 3 }],
        },
        { index: 4, ...fine },
        { index: 5, status: 422, errors: [{ index: 5, field: "trial_id", rule: "must not be empty" }] },
      ],
    });
    expect(await trial("many")).toMatchObject({
      metrics: { loss: { last: 0.3, count: 3 } },
      counts: { events: 3 },
    });
  });

  it("may come as NDJSON, with empty lines and lines that are not JSON", async () => {
    const lines = [start("line 1"), "", "{oops", "  ", start("line 2"), "[]"];
    const text = lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\r\n");
    const { status, body } = await post(text, NDJSON);
    expect(status).toBe(202);
    expect(body).toMatchObject({
      accepted: 2,
      rejected: 2,
      results: [
        { index: 0, success: true },
        { index: 1, error: "invalid_json", status: 400, errors: [{ index: 1, field: "body" }] },
        { index: 2, success: true },
        { index: 3, error: "validation_failed", errors: [{ index: 3, rule: "must be a JSON object" }] },
      ],
    });
    expect(await trial("line 2")).toMatchObject({ status: "running" });
    const one = await post(JSON.stringify(start("line 3")), NDJSON);
    expect(one.body).toMatchObject({ accepted: 1, results: [{ index: 0 }] });
  });

  it("of which none is good are refused as the first one is", async () => {
    for (const [events, status, error] of [
      [bad, 422, "event_construction_failed"],
      [[bad[1], bad[0]], 400, "unknown_event_type"],
    ] as const) {
      const answer = await post(events);
      expect(answer.status).toBe(status);
      expect(answer.headers.get("content-type")).toBe("application/problem+json");
      expect(answer.body).toMatchObject({
        success: false,
        error,
        accepted: 0,
        rejected: events.length,
        results: events.map((_, index) => (index === 0 ? { index, error } : { index, success: false })),
      });
    }
  });

  it.each([
    ["[]", {}],
    ["", NDJSON],
    ["\n\n", NDJSON],
  ])("must be at least one: %j", async (text, headers) => {
    const { status, body } = await post(text, headers);
    expect([status, body]).toMatchObject([400, { error: "invalid_request", errors: [{ field: "body" }] }]);
  });

  it("may be 5,000 and no more", async () => {
    const steps = (n: number) =>
      Array.from({ length: n }, (_, step) => metric("5000", { metric_name: "x", metric_value: step, step }));
    const { status, body } = await post(steps(5001));
    expect([status, body]).toMatchObject([
      413,
      { error: "payload_too_large", detail: "A request may hold at most 5000 events; this one holds 5001." },
    ]);
    expect((await post(steps(5000))).body).toMatchObject({ accepted: 5000, rejected: 0 });
  });

  it("may be five million bytes and no more, whatever Content-Length says", async () => {
    const large = JSON.stringify(start("large", { metadata: { text: "x".repeat(5_000_000) } }));
    for (const headers of [{}, { "content-length": "10" }]) {
      const { status, body } = await post(large, headers);
      expect([status, body]).toMatchObject([
        413,
        { error: "payload_too_large", detail: "A request may hold at most 5000000 bytes." },
      ]);
    }
  });

  it("lose nothing beside one that is too large by itself", async () => {
    const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`m${n}`, n]));
    const large = metric("too large", { step: 1, metrics: many });
    const { status, body } = await post([start("beside"), large]);
    expect([status, body]).toMatchObject([
      202,
      {
        accepted: 1,
        results: [{ success: true }, { status: 413, error: "event_too_large", errors: [{ index: 1 }] }],
      },
    ]);
    expect(await post(large)).toMatchObject({ status: 413, body: { error: "event_too_large" } });
  });

  it.each(["text/plain", "application/x-www-form-urlencoded", "application/problem+json", ""])(
    "must not be of the type %j",
    async (type) => {
      const { status, body } = await post(JSON.stringify(runStart), { "content-type": type });
      expect([status, body]).toMatchObject([415, { error: "unsupported_media_type" }]);
    },
  );

  it("may name a character set", async () => {
    expect((await post(runStart, { "content-type": "Application/JSON; charset=utf-8" })).status).toBe(202);
  });
});

describe("an event that comes again", () => {
  it("with its event_id is a duplicate, and changes nothing", async () => {
    const event = metric("again", { event_id: "e1", metrics: { x: 1 } });
    expect((await post(event)).body).not.toHaveProperty("duplicate");
    const { status, headers, body } = await post(event);
    expect([status, body]).toMatchObject([202, { success: true, event_id: "e1", duplicate: true }]);
    expect(headers.get("idempotent-replayed")).toBe("true");
    expect(await trial("again")).toMatchObject({ counts: { events: 1, points: 1 } });
  });

  it("in another order of keys, or of another trial, is the same, or not", async () => {
    const event = metric("order", { event_id: "e1", metrics: { x: 1, y: 2 } });
    await post(event);
    const { event: type, ...rest } = event;
    expect((await post({ ...rest, metrics: { y: 2, x: 1 }, event: type })).body).toMatchObject({
      duplicate: true,
    });
    expect((await post({ ...event, trial_id: "order 2" })).body).not.toHaveProperty("duplicate");
  });

  it("with another body is a conflict, and the first one stands", async () => {
    await post(metric("conflict", { event_id: "e1", metrics: { x: 1 } }));
    const { status, body } = await post(metric("conflict", { event_id: "e1", metrics: { x: 2 } }));
    expect([status, body]).toMatchObject([
      409,
      {
        success: false,
        error: "event_id_conflict",
        errors: [{ field: "event_id", rule: "was used before with another body", value: '"e1"' }],
      },
    ]);
    const beside = await post([
      metric("conflict", { event_id: "e1", metrics: { x: 3 } }),
      metric("conflict", { event_id: "e2", metrics: { x: 4 } }),
      metric("conflict", { event_id: "e2", metrics: { x: 4 } }),
    ]);
    expect(beside).toMatchObject({
      status: 202,
      body: {
        accepted: 1,
        duplicates: 1,
        rejected: 1,
        results: [{ status: 409, errors: [{ index: 0 }] }, { success: true }, { duplicate: true }],
      },
    });
    expect(await trial("conflict")).toMatchObject({ metrics: { x: { last: 4, count: 2 } } });
  });

  it("with the request's Idempotency-Key is a duplicate, item by item", async () => {
    const events = [start("keyed"), metric("keyed", { metrics: { x: 1 } })];
    const key = { "idempotency-key": "request-1" };
    expect((await post(events, key)).body).toMatchObject({ accepted: 2, duplicates: 0 });
    const again = await post(events, key);
    expect(again.body).toMatchObject({
      accepted: 0,
      duplicates: 2,
      results: [{ duplicate: true }, { duplicate: true }],
    });
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    const other = await post(events, { "idempotency-key": "request-2" });
    expect(other.headers.get("idempotent-replayed")).toBeNull();
    expect(other.body).toMatchObject({ accepted: 2 });
    const changed = await post([start("keyed", { spectral_norm: false })], key);
    expect([changed.status, changed.body]).toMatchObject([409, { error: "event_id_conflict" }]);
    const tooLong = await post(events, { "idempotency-key": "x".repeat(256) });
    expect([tooLong.status, tooLong.body]).toMatchObject([400, { errors: [{ field: "Idempotency-Key" }] }]);
  });

  it("without an id is known by its own time or step; without either it is another event", async () => {
    const stepped = metric("unnamed", { metrics: { x: 1 }, step: 3 });
    const timed = metric("unnamed", { metrics: { x: 1 }, occurred_at: 1_700_000_000_000 });
    const neither = metric("unnamed", { metrics: { x: 1 } });
    const twice = [stepped, timed, neither, stepped, timed, neither];
    expect((await post(twice)).body).toMatchObject({ accepted: 4, duplicates: 2 });
    const ids = z
      .array(accepted)
      .parse(await Promise.all([post(stepped), post(timed), post(neither)].map(async (a) => (await a).body)));
    expect(new Set(ids.map((id) => id.event_id)).size).toBe(3);
    const count = await env.DB.prepare(
      "select count(*) as n from events e join streams s on s.id = e.stream_id where s.trial_id = 'unnamed'",
    ).first<number>("n");
    expect(count).toBe(5);
  });
});
