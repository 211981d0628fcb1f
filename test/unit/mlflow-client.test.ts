import { describe, expect, test } from "vitest";
import { createMlflowClient } from "../../src/mlflow/client.ts";
import type { MlflowAuth, MlflowSettings, Observation } from "../../src/mlflow/http.ts";

type Sent = { url: string; init: RequestInit };

/** A client over a scripted server: each call takes the next answer. */
function clientOver(answers: (Response | Error)[], settings: Partial<MlflowSettings> = {}) {
  const sent: Sent[] = [];
  const observed: Observation[] = [];
  let clock = 1000;
  const client = createMlflowClient(
    {
      trackingUri: "http://mlflow.test",
      auth: { kind: "none" },
      extraHeaders: {},
      timeoutMs: 1000,
      ...settings,
    },
    {
      fetch: async (url, init) => {
        sent.push({ url, init });
        clock += 25;
        const answer = answers[sent.length - 1];
        if (answer instanceof Response) return answer;
        throw answer ?? new Error("no more answers");
      },
      now: () => clock,
      observe: (observation) => observed.push(observation),
    },
  );
  return { client, sent, observed };
}

const BAD_NUMBERS = [
  { step: 1.5, timestamp: 1 },
  { step: 2 ** 53, timestamp: 1 },
  { step: 2n ** 63n, timestamp: 1 },
  { step: NaN, timestamp: 1 },
  { step: 1, timestamp: 1.5 },
  { step: 1, timestamp: -1 },
];

describe("numbers that MLflow would store as 0 are never sent", () => {
  test.each(BAD_NUMBERS)("%o", async (numbers) => {
    const { client, sent } = clientOver([]);
    const metric = { key: "m", value: 1, ...numbers };
    const single = await client.logMetric({ runId: "r", ...metric });
    const batch = await client.logBatch({ runId: "r", metrics: [metric], params: [], tags: [] });
    for (const result of [single, batch]) {
      expect(result).toMatchObject({ ok: false, failure: { kind: "invalid", status: null } });
    }
    expect(sent).toEqual([]);
  });
  test("times of runs", async () => {
    const { client, sent } = clientOver([]);
    const created = await client.createRun({ experimentId: "1", runName: "n", startTime: 0.5, tags: [] });
    const updated = await client.updateRun({ runId: "r", endTime: NaN });
    expect(created).toMatchObject({ ok: false, failure: { kind: "invalid" } });
    expect(updated).toMatchObject({ ok: false, failure: { kind: "invalid" } });
    expect(sent).toEqual([]);
  });
});

describe("metricHistory", () => {
  const page = (step: number, token?: string) =>
    Response.json({ metrics: [{ key: "m", value: 1, timestamp: 1, step }], next_page_token: token });

  test("follows pages and stops when a server repeats a token", async () => {
    const { client, sent } = clientOver([page(1, "a"), page(2, "b"), page(3, "a"), page(4, "a")]);
    const results = await Array.fromAsync(client.metricHistory("r", "m"));
    expect(results.map((r) => (r.ok ? r.value.map((m) => m.step) : r.failure.kind))).toEqual([
      [1],
      [2],
      [3],
      "misconfigured",
    ]);
    expect(sent.map(({ url }) => new URL(url).searchParams.get("page_token"))).toEqual([null, "a", "b"]);
    expect(sent.map(({ url }) => new URL(url).searchParams.get("max_results"))).toEqual([
      "25000",
      "25000",
      "25000",
    ]);
  });
  test("ends with a failure", async () => {
    const { client } = clientOver([page(1, "a"), new Error("cut")]);
    const results = await Array.fromAsync(client.metricHistory("r", "m"));
    expect(results.map((r) => r.ok)).toEqual([true, false]);
  });
});

describe("answers", () => {
  test("absent lists and scalars, unknown fields, int64 as text", async () => {
    const info = {
      run_id: "r",
      run_uuid: "r",
      experiment_id: "7",
      status: "RUNNING",
      start_time: "5",
      end_time: 0,
      lifecycle_stage: "active",
      later: true,
    };
    const { client } = clientOver([Response.json({ run: { info, data: {} } }), Response.json({})]);
    expect(await client.getRun("r")).toEqual({
      ok: true,
      value: {
        info: {
          runId: "r",
          runName: null,
          experimentId: "7",
          userId: null,
          status: "RUNNING",
          startTime: 5,
          endTime: null,
          artifactUri: null,
          lifecycleStage: "active",
        },
        data: { metrics: [], params: [], tags: [] },
        inputs: { datasets: [], modelIds: [] },
        outputs: [],
      },
    });
    expect(await client.searchRuns({ experimentIds: ["7"], maxResults: 1 })).toEqual({
      ok: true,
      value: { items: [], nextPageToken: null },
    });
  });
  test.each(["[]", "1", '{"experiment":{}}', '"OK"'])("200 %s is not MLflow", async (body) => {
    const { client } = clientOver([new Response(body)]);
    expect(await client.getExperiment("1")).toMatchObject({ ok: false, failure: { kind: "misconfigured" } });
  });
});

describe("credentials", () => {
  const auth: MlflowAuth = { kind: "basic", username: "ann", password: "pässword1" };
  const encoded = Buffer.from("ann:pässword1").toString("base64");

  test("of the settings win over those of the URI and of the headers", async () => {
    const { client, sent } = clientOver([Response.json({})], {
      trackingUri: "http://bob:other@mlflow.test/",
      extraHeaders: { Authorization: "Token x", "X-Tenant": "t" },
      auth,
    });
    await client.deleteRun("r");
    const headers = new Headers(sent[0]?.init.headers);
    expect(sent[0]?.url).toBe("http://mlflow.test/api/2.0/mlflow/runs/delete");
    expect(headers.get("authorization")).toBe(`Basic ${encoded}`);
    expect(headers.get("x-tenant")).toBe("t");
  });
  test("of the URI are used when there are no others", async () => {
    const { client, sent } = clientOver([Response.json({})], {
      trackingUri: "http://bob:p%40ss@mlflow.test/x/",
    });
    await client.deleteRun("r");
    expect(new Headers(sent[0]?.init.headers).get("authorization")).toBe(`Basic ${btoa("bob:p@ss")}`);
  });
  test("never reach a message", async () => {
    const echo = `seen: ${encoded} pässword1 uripass sesame-open`;
    const answers = [
      new Response(echo, { status: 403 }),
      Response.json({ error_code: "BAD_REQUEST", message: echo }, { status: 400 }),
      new Error(`fetch of http://bob:uripass@mlflow.test failed with ${echo}`),
    ];
    const { client } = clientOver(answers, {
      trackingUri: "http://bob:uripass@mlflow.test",
      extraHeaders: { "X-Key": "sesame-open" },
      auth,
    });
    for (const _ of answers) {
      const result = await client.deleteRun("r");
      const text = JSON.stringify(result);
      expect(text).toContain("[redacted]");
      expect(text).not.toMatch(/pässword1|uripass|sesame/);
      expect(text).not.toContain(encoded);
    }
  });
  test("never reach a message in part, where one begins with another", async () => {
    const { client } = clientOver([new Response("no such key: trackers-0f3b9c", { status: 403 })], {
      extraHeaders: { "X-Key": "trackers-0f3b9c" },
      auth: { kind: "basic", username: "ann", password: "trackers" },
    });
    const text = JSON.stringify(await client.deleteRun("r"));
    expect(text).toContain("[redacted]");
    expect(text).not.toContain("0f3b9c");
  });
  test.each(["Bearer", "Basic", "Token"])(
    "never reach a message without their scheme, %s",
    async (scheme) => {
      const { client } = clientOver([new Response("no such token: sesame-open", { status: 401 })], {
        extraHeaders: { "Proxy-Authorization": `${scheme} sesame-open` },
      });
      expect(JSON.stringify(await client.deleteRun("r"))).not.toContain("sesame");
    },
  );
  test.each<[string, Partial<MlflowSettings>]>([
    ["no URL", { trackingUri: "secret nonsense" }],
    ["another protocol", { trackingUri: "file:///secret" }],
    ["a bad header", { extraHeaders: { "X-Key": "secret\nline" } }],
    ["a bad token", { auth: { kind: "bearer", token: "secret\nline" } }],
  ])("%s is misconfigured, without a call", async (_, settings) => {
    const { client, sent, observed } = clientOver([], settings);
    const result = await client.deleteRun("r");
    expect(result).toMatchObject({ ok: false, failure: { kind: "misconfigured" } });
    expect(JSON.stringify(result)).not.toContain("secret");
    expect(sent).toEqual([]);
    expect(observed).toEqual([
      { endpoint: "runs/delete", kind: "misconfigured", durationMs: 0, status: null },
    ]);
  });
});

test("every call is observed", async () => {
  const { client, observed } = clientOver([
    Response.json({}),
    new Response("", { status: 502 }),
    new Error("cut"),
  ]);
  for (let i = 0; i < 3; i++) await client.setTag({ runId: "r", key: "k", value: "v" });
  expect(observed).toEqual([
    { endpoint: "runs/set-tag", kind: "ok", durationMs: 25, status: 200 },
    { endpoint: "runs/set-tag", kind: "ambiguous", durationMs: 25, status: 502 },
    { endpoint: "runs/set-tag", kind: "ambiguous", durationMs: 25, status: null },
  ]);
});
