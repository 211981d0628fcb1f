import { describe, expect, it } from "vitest";
import { post, request } from "./api.ts";
import { metric, runMetric, runStart, runStop, trialComplete, trialFailed, trialStart } from "./payloads.ts";

describe("an event that is refused", () => {
  const { trial_id: _, ...noTrial } = trialComplete;

  it.each([
    [
      "an unknown type",
      { event: "ml.trial.started" },
      "unknown_event_type",
      "event",
      "must be one of ml.run.start",
    ],
    ["no type", { model_run_id: "m" }, "validation_failed", "event", "is required"],
    ["a type that is no string", { event: 7 }, "validation_failed", "event", "must be a string"],
    ["a missing field", noTrial, "validation_failed", "trial_id", "is required"],
    [
      "a null in a required field",
      { ...trialComplete, trial_id: null },
      "validation_failed",
      "trial_id",
      "is required",
    ],
    [
      "a metric without a value",
      metric("r", { metric_name: "x" }),
      "validation_failed",
      "metric_value",
      "is required",
    ],
  ])("with 400 for %s", async (_, event, error, field, rule) => {
    const { status, headers, body } = await post(event);
    expect(status).toBe(400);
    expect(headers.get("content-type")).toBe("application/problem+json");
    expect(body).toMatchObject({
      success: false,
      error,
      type: `urn:trial-relay:problem:${error}`,
      status: 400,
      title: expect.any(String),
      detail: expect.any(String),
      request_id: expect.any(String),
      errors: [{ field, rule: expect.stringContaining(rule) }],
    });
  });

  it("in the original's words: what was received, and a list of what is missing", async () => {
    expect((await post({ event: "ml.trial.started" })).body).toMatchObject({
      error: "unknown_event_type",
      details: expect.stringContaining("ml.trial.complete"),
      received: "ml.trial.started",
    });
    expect((await post({ event: "ml.trial.complete", spectral_norm: "yes" })).body).toMatchObject({
      error: "validation_failed",
      details: [
        "missing required field: model_run_id",
        "missing required field: trial_id",
        "missing required field: metrics",
      ],
    });
    expect((await post({ ...trialStart, spectral_norm: "yes" })).body).toMatchObject({
      error: "event_construction_failed",
      details: 'spectral_norm must be true or false, got "yes"',
    });
  });

  it.each([
    ["spectral_norm", "must be true or false", '"true"', { ...trialStart, spectral_norm: "true" }],
    ["requested_trials", "must be an integer above 0", "0", { ...runStart, requested_trials: 0 }],
    ["search_space_version", "must be an integer above 0", "1.5", { ...runStart, search_space_version: 1.5 }],
    ["completed_trials", "must be an integer of 0 or more", "-1", { ...runStop, completed_trials: -1 }],
    ["state", "must be completed, failed, or cancelled", '"done"', { ...runStop, state: "done" }],
    ["metric_value", "must be a number", '"high"', { ...runMetric, metric_value: "high" }],
    ["step", "must be an integer between", "1.5", { ...runMetric, step: 1.5 }],
    [
      "metrics",
      "at least one metric",
      "{}",
      { ...runMetric, metrics: {}, metric_name: null, metric_value: null },
    ],
    ["metrics", "must be an object", "[1]", { ...trialComplete, metrics: [1] }],
    [
      "metrics.val.loss",
      "must be a number",
      '"low"',
      { ...runMetric, metrics: { val: { loss: "low" } }, metric_name: null, metric_value: null },
    ],
    ["mlflow_run_id", "32 lower-case hex digits", '"abc"', { ...trialComplete, mlflow_run_id: "abc" }],
    ["occurred_at", "must be an ISO 8601 time", '"yesterday"', { ...trialFailed, occurred_at: "yesterday" }],
    ["occurred_at", "with a zone", '"2026', { ...trialFailed, occurred_at: "2026-01-01T00:00:00" }],
    ["occurred_at", "a dead battery", "-1", { ...trialFailed, occurred_at: -1 }],
    ["occurred_at", "looks like seconds", "1764000000", { ...trialFailed, occurred_at: 1_764_000_000 }],
    ["occurred_at", "the calendar", '"2026-02-30', { ...trialFailed, occurred_at: "2026-02-30T00:00:00Z" }],
    ["trial_id", "must not be empty", '""', { ...trialFailed, trial_id: "" }],
    ["trial_id", "must have at most 250 characters", '"xxx', { ...trialFailed, trial_id: "x".repeat(251) }],
    ["event_id", "must have at most 255 characters", '"xxx', { ...trialFailed, event_id: "x".repeat(256) }],
    ["experiment_name", "at most 256 characters", '"xxx', { ...runStart, experiment_name: "x".repeat(257) }],
  ])("with 422 where %s %s", async (field, rule, value, event) => {
    const { status, body } = await post(event);
    expect(status).toBe(422);
    expect(body).toMatchObject({
      success: false,
      error: "event_construction_failed",
      errors: [{ field, rule: expect.stringContaining(rule), value: expect.stringContaining(value) }],
    });
  });

  it.each([
    ["", "must not be empty"],
    ["x".repeat(251), "must have at most 250 characters"],
    ["loss%", "may only contain letters, digits"],
    ["loss\n", "may only contain letters, digits"],
    ["/loss", "must be a normal path"],
    ["loss/", "must be a normal path"],
    ["a//b", "must be a normal path"],
    ["a/../b", "must be a normal path"],
    [".", "must be a normal path"],
    ["..", "must be a normal path"],
    ["...", "must be a normal path"],
    ["..loss", "must be a normal path"],
  ])("for the key %j, which MLflow would not take", async (key, rule) => {
    const named = await post({ ...runMetric, metric_name: key });
    expect(named.body).toMatchObject({
      status: 422,
      errors: [{ field: "metric_name", rule: expect.stringContaining(rule) }],
    });
    const listed = { ...runMetric, metric_name: null, metric_value: null, metrics: { [key]: 1 } };
    expect((await post(listed)).body).toMatchObject({
      status: 422,
      errors: [{ field: `metrics.${key}`, rule: expect.stringContaining(`has a name that ${rule}`) }],
    });
  });

  it("for a number beyond a double's range, which is no infinity", async () => {
    const text = JSON.stringify(metric("range", { metric_name: "x", metric_value: 1, step: 1 }));
    for (const [literal, shown] of [
      ["1e400", "Infinity"],
      ["-1e400", "-Infinity"],
      [`1${"0".repeat(400)}`, `1${"0".repeat(99)}…`],
    ] as const) {
      const { status, body } = await post(text.replace('"metric_value":1', `"metric_value":${literal}`));
      expect([literal, status]).toEqual([literal, 422]);
      expect(body).toMatchObject({
        errors: [{ rule: "must be within the range of a 64-bit float", value: shown }],
      });
    }
  });

  it.each([
    ["{", "invalid_json"],
    ["", "invalid_json"],
    ["{'event': 1}", "invalid_json"],
    ['"ml.run.start"', "validation_failed"],
    ["null", "validation_failed"],
  ])("for the body %j", async (text, error) => {
    const { status, body } = await post(text);
    expect([status, body]).toMatchObject([400, { success: false, error }]);
  });

  it("for a token that may not send", async () => {
    const init = {
      method: "POST",
      body: JSON.stringify(runStart),
      headers: { "content-type": "application/json" },
    };
    expect(await request("/api/events/ml", { ...init, token: null })).toMatchObject({
      status: 401,
      body: { detail: expect.stringContaining("'ingest'") },
    });
    const INGEST_LIMIT = { limit: async () => ({ success: false }) };
    const { status, headers } = await request("/api/events/ml", { ...init, bindings: { INGEST_LIMIT } });
    expect([status, headers.get("retry-after")]).toEqual([429, "60"]);
  });
});
