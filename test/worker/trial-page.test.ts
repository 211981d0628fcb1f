import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { DEFAULT_STATE, STATE_PARAMETERS, writeState } from "../../src/dashboard/client/lib/curves/state.ts";
import { foldAll, idOf, post, request } from "./api.ts";
import { page } from "./page.ts";

const HOSTILE = `"><script>alert(1)</script>`;
const of = (trial_id: string) => ({ model_run_id: "study", trial_id });

async function set(trial: string, columns: string): Promise<void> {
  await env.DB.prepare(`update streams set ${columns} where trial_id = ?1`).bind(trial).run();
}

beforeAll(async () => {
  await post([
    {
      event: "ml.trial.start",
      ...of("t1"),
      spectral_norm: true,
      run_name: HOSTILE,
      parameters: { lr: HOSTILE },
      metadata: { host: HOSTILE },
      event_id: HOSTILE,
    },
    { event: "ml.run.metric", ...of("t1"), step: 1, metrics: { loss: "NaN" } },
    {
      event: "ml.trial.failed",
      ...of("t1"),
      error_type: HOSTILE,
      error_message: HOSTILE,
      stacktrace: HOSTILE,
      parameters: { lr: 2 },
    },
  ]);
  await foldAll();
});

describe("the page of a trial", () => {
  it("shows every text of a trainer as text, and lets nothing from elsewhere in", async () => {
    const { status, text, headers } = await page(`/trials/${await idOf("t1")}`);
    expect(status).toBe(200);
    expect(text).not.toContain("<script>alert");
    expect(text.match(/&quot;&gt;&lt;script&gt;alert\(1\)&lt;\/script&gt;/g)?.length).toBeGreaterThanOrEqual(
      8,
    );
    expect(headers.get("content-security-policy")).toContain("default-src 'none'");
  });

  it("is answered 304 while nothing changed, and for who may only read it has no button to act", async () => {
    const path = `/trials/${await idOf("t1")}`;
    await set("t1", "mlflow_run_id = 'run-1', mlflow_experiment_id = '7'");
    const first = await page(path, { vars: { MLFLOW_TRACKING_URI: "http://user:secret@mlflow.test/" } });
    expect(first.text).toContain('href="http://mlflow.test/#/experiments/7/runs/run-1"');
    expect(first.text).not.toContain("secret");
    expect(first.text).toContain("data-verify");
    const second = await page(path);
    const again = await page(path, { headers: { "if-none-match": second.headers.get("etag") ?? "" } });
    expect([again.status, again.text]).toEqual([304, ""]);
    const made = await request("/api/ops/tokens", {
      method: "POST",
      body: JSON.stringify({ name: "reader", scopes: ["read"] }),
    });
    const { token } = made.body as { token: string };
    const read = await page(path, { token });
    expect([read.status, read.text.includes("data-verify")]).toEqual([200, false]);
  });

  it.each([
    ["waiting_for = 'breaker', next_attempt_at = 1", "MLflow is away; everything waits until it is back."],
    ["waiting_for = 'grace', next_attempt_at = 0", "its model run to be announced"],
    ["blocked_kind = 'gone_run', blocked_reason = 'the run is deleted'", "Restore the run in MLflow"],
    ["blocked_kind = 'misconfigured', blocked_reason = 'HTTP 403'", "the credentials of MLflow"],
  ])("says why it does not go on, and what to do, with %s", async (columns, words) => {
    await set(
      "t1",
      `blocked_kind = null, blocked_reason = null, waiting_for = null, last_error = 'it said no'`,
    );
    await set("t1", columns);
    const { text } = await page(`/trials/${await idOf("t1")}`);
    expect(text).toContain(words);
    expect(text).toContain("it said no");
  });

  it("pages the ledger, and shows what is in a state", async () => {
    const path = `/trials/${await idOf("t1")}`;
    expect((await page(`${path}?ledger=conflicting`)).text).toContain("lr stays");
    expect((await page(`${path}?ledger=dead`)).text).toContain("No events.");
    expect((await page(`${path}?ledger=nothing`)).status).toBe(400);
    expect((await page("/trials/nobody")).status).toBe(404);
  });

  it("is read at each address that its curves may give it, and its ledger goes on whatever they are shown by", async () => {
    await post(Array.from({ length: 60 }, (_, i) => metric("paged", i)));
    const path = `/trials/${await idOf("paged")}`;
    const state = {
      ...DEFAULT_STATE,
      ignoresOutliers: true,
      logY: true,
      smoothing: 0.5,
      zoom: [1, 2],
    } as const;
    const shownBy = writeState(new URLSearchParams(), {
      ...state,
      axis: "time",
      metrics: "a",
      hidden: ["b"],
    });
    expect([...shownBy.keys()].sort()).toEqual([...STATE_PARAMETERS].sort());
    expect((await page(`${path}?${shownBy}`)).status).toBe(200);
    const [, next = ""] = /rel="next" href="([^"]+)"/.exec((await page(path)).text) ?? [];
    expect((await page(`${next}&${shownBy}`)).status).toBe(200);
    expect((await page(`${next}&ledger=accepted`)).status).toBe(400);
  });

  it("reads no more rows the longer the trial is", async () => {
    await post(Array.from({ length: 60 }, (_, i) => metric("long", i)));
    await foldAll();
    const path = `/trials/${await idOf("long")}`;
    const short = await page(path);
    for (let n = 0; n < 3; n++)
      await post(Array.from({ length: 700 }, (_, i) => metric("long", 100 + n * 700 + i)));
    await foldAll();
    await set("long", "delivered_seq = last_seq, planned_seq = last_seq");
    const long = await page(path);
    expect(long.rowsRead, long.meter.worst()).toBeLessThanOrEqual(short.rowsRead + 100);
  });
});

function metric(trial: string, step: number) {
  return { event: "ml.run.metric", ...of(trial), step, metrics: { loss: step } };
}
