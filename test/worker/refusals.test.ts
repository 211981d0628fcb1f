import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import * as z from "zod";
import { app } from "../../src/app.ts";
import { forgetRefusals, MAX_REFUSALS, REFUSALS_SHOWN_MS } from "../../src/store/ops/refusals.ts";
import { ADMIN, idOf, post, request } from "./api.ts";
import { metric, start } from "./payloads.ts";

const list = (query = "") => request(`/api/ops/refusals${query}`);

async function exposition(): Promise<string> {
  const headers = { authorization: `Bearer ${ADMIN}` };
  const QUEUE = { metrics: async () => ({ backlogCount: 0, backlogBytes: 0 }) };
  const bindings = { ...env, TRIALS: QUEUE, JOBS: QUEUE, FILES: QUEUE };
  return (await app.request("/metrics", { headers }, bindings, createExecutionContext())).text();
}

describe("a refusal", () => {
  it("leaves a trace by trial and by token, and in the trial's ledger", async () => {
    await post(start("traced", { model_run_id: "refusing" }));
    const bad = {
      ...metric("traced", { model_run_id: "refusing" }),
      metric_name: "x",
      metric_value: 1,
      step: 1.5,
    };
    const { headers } = await post(bad);
    const { headers: last } = await post([bad, metric("other", { model_run_id: "refusing", metrics: {} })]);
    const row = {
      token_id: "admin",
      model_run_id: "refusing",
      trial_id: "traced",
      error: "event_construction_failed",
      field: "step",
      rule: expect.stringContaining("must be an integer"),
      value: "1.5",
      count: 2,
      first_at: expect.stringMatching(/Z$/),
      last_at: expect.stringMatching(/Z$/),
      request_id: last.get("x-request-id"),
    };
    expect(headers.get("x-request-id")).not.toBe(last.get("x-request-id"));
    expect((await list("?model_run_id=refusing&trial_id=traced")).body).toEqual({
      refusals: [row],
      next_cursor: null,
    });
    expect((await list("?token_id=admin&error=event_construction_failed")).body).toMatchObject({
      refusals: expect.arrayContaining([
        row,
        expect.objectContaining({ trial_id: "other", field: "metrics" }),
      ]),
    });
    expect((await list("?token_id=nobody")).body).toEqual({ refusals: [], next_cursor: null });
    const ledger = await request(`/api/trials/${await idOf("traced")}/ledger`);
    expect(ledger.body).toMatchObject({ events: [{ type: "ml.trial.start" }], refusals: [row] });
  });

  it.each([
    ["bytes that are no JSON", "{", "invalid_json", "body"],
    [
      "an unknown type",
      JSON.stringify({ event: "x", model_run_id: "k", trial_id: 7 }),
      "unknown_event_type",
      "event",
    ],
    ["nothing", "[]", "invalid_request", "body"],
  ])("of %s leaves one too", async (_, text, error, field) => {
    expect((await post(text)).status).toBe(400);
    expect((await list(`?error=${error}`)).body).toMatchObject({
      refusals: [{ error, field, token_id: "admin" }],
    });
  });

  it("pages, the last first", async () => {
    for (const trial of ["p1", "p2", "p3"])
      await post({ event: "ml.trial.start", model_run_id: "paged", trial_id: trial });
    const seen = [];
    let query = "";
    for (;;) {
      const { body } = await list(`?model_run_id=paged&limit=1${query}`);
      const page = z
        .object({ refusals: z.array(z.object({ trial_id: z.string() })), next_cursor: z.string().nullable() })
        .parse(body);
      seen.push(...page.refusals.map((row) => row.trial_id));
      if (page.next_cursor === null) break;
      query = `&cursor=${page.next_cursor}`;
    }
    expect(seen).toEqual(["p3", "p2", "p1"]);
  });

  it("is counted by error and by fields that are known, whatever names a trainer makes up", async () => {
    for (let n = 0; n < 30; n++) await post(metric(`m${n}`, { step: `x${n}`, [`zz${n}`]: 1 }));
    await post({ ...start("y"), spectral_norm: "perhaps" });
    await request("/api/trials?zz=1");
    await request("/api/trials", { token: null });
    const lines = (await exposition()).split("\n").filter((line) => line.startsWith("relay_refusals_total{"));
    expect(lines).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/error="event_construction_failed",field="step"} \d+/),
        expect.stringMatching(/error="event_construction_failed",field="spectral_norm"} \d+/),
        expect.stringMatching(/error="invalid_request",field="other"} \d+/),
        expect.stringMatching(/error="unauthenticated",field=""} \d+/),
      ]),
    );
    expect(lines.length).toBeLessThan(15);
  });

  it("has a line in the log, the first of a request at least", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    await post(Array.from({ length: 200 }, (_, n) => metric(`log${n}`, { step: 1.5, metrics: { a: 1 } })));
    const lines = warn.mock.calls
      .map(([line]) => line)
      .filter((line) => line.message === "an event was refused");
    warn.mockRestore();
    expect(lines).toHaveLength(20);
    expect(lines[0]).toMatchObject({
      token: "admin",
      trial_id: "log0",
      field: "step",
      rule: expect.stringContaining("integer"),
      request_id: expect.any(String),
    });
  });

  it("is answered all the same when no trace can be written", async () => {
    const DB = {
      ...env.DB,
      prepare: () => {
        throw new Error("no database");
      },
      batch: () => {
        throw new Error("no database");
      },
    };
    const body = JSON.stringify({ event: "x" });
    const init = { method: "POST", body, headers: { "content-type": "application/json" }, bindings: { DB } };
    expect((await request("/api/events/ml", init)).status).toBe(400);
  });

  it("is kept within bounds of number and age", async () => {
    const now = Date.now();
    const insert = `
      insert into refusals (token_id, model_run_id, trial_id, error, field, rule, value, request_id, count, first_at, last_at)
      select 't', 'old', value, 'e', '', 'r', '', 'q', 1, ?2, ?2 from json_each(?1)`;
    const ids = JSON.stringify(Array.from({ length: MAX_REFUSALS + 500 }, (_, n) => `o${n}`));
    await env.DB.prepare(insert)
      .bind(ids, now - REFUSALS_SHOWN_MS - 1)
      .run();
    await post({ event: "ml.trial.start", model_run_id: "bounded", trial_id: "b" });
    await list();
    const count = () => env.DB.prepare("select count(*) as n from refusals").first<number>("n");
    expect(await count()).toBeLessThanOrEqual(MAX_REFUSALS);
    await forgetRefusals(env.DB, now);
    expect((await list("?model_run_id=old")).body).toMatchObject({ refusals: [] });
    expect((await list("?model_run_id=bounded")).body).toMatchObject({ refusals: [{ trial_id: "b" }] });
  });
});
