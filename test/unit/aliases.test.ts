import { describe, expect, test } from "vitest";
import { checkEvent } from "../../src/domain/events.ts";
import { nearest } from "../../src/domain/nearest.ts";

const NOW = Date.parse("2026-06-01T12:00:00Z");
const AT = NOW - 1_000;
const IDS = { model_run_id: "m", trial_id: "t" };
const RUN = { event: "ml.run.start", model_run_id: "m", requested_trials: 1, search_space_version: 1 };
const STOP = { event: "ml.run.stop", model_run_id: "m", state: "completed", completed_trials: 1 };
const START = { event: "ml.trial.start", ...IDS, spectral_norm: true };
const FAILED = { event: "ml.trial.failed", ...IDS, error_message: "x" };
const METRIC = { event: "ml.run.metric", ...IDS, metrics: { a: 1 } };

function taken(body: object) {
  const checked = checkEvent(body, NOW);
  if (!checked.ok) throw new Error(JSON.stringify(checked.rejection));
  return checked.event;
}

describe("a nearly right word", () => {
  test.each<[object, object, string, string]>([
    [{ ...START, params: { lr: 1 } }, { facts: { params: { lr: "1" } } }, "params", "parameters"],
    [{ ...START, hparams: { lr: 1 } }, { facts: { params: { lr: "1" } } }, "hparams", "parameters"],
    [
      { ...RUN, experiment: "e" },
      { facts: { fields: { experiment_name: "e" } } },
      "experiment",
      "experiment_name",
    ],
    [{ ...START, name: "n" }, { facts: { fields: { run_name: "n" } } }, "name", "run_name"],
    [{ ...START, timestamp: AT }, { occurredAt: AT }, "timestamp", "occurred_at"],
    [{ ...START, started_at: new Date(AT).toISOString() }, { occurredAt: AT }, "started_at", "occurred_at"],
    [{ ...METRIC, epoch: 3 }, { hasStep: true, points: [{ key: "a", value: 1, step: 3 }] }, "epoch", "step"],
    [{ ...METRIC, global_step: 3 }, { points: [{ step: 3 }] }, "global_step", "step"],
    [{ ...STOP, state: undefined, status: "failed" }, { facts: { ends: "failed" } }, "status", "state"],
    [{ ...STOP, best_value: 0.5 }, { facts: { finals: { best_metric: 0.5 } } }, "best_value", "best_metric"],
    [
      { ...FAILED, error_message: undefined, error: "OOM" },
      { facts: { fields: { error_message: "OOM" } } },
      "error",
      "error_message",
    ],
    [{ ...FAILED, traceback: "at" }, { facts: { fields: { stacktrace: "at" } } }, "traceback", "stacktrace"],
    [
      { ...START, model_run_id: undefined, study_name: "s" },
      { modelRunId: "s" },
      "study_name",
      "model_run_id",
    ],
    [{ ...START, trial_id: undefined, trial_number: 7 }, { trialId: "7" }, "trial_number", "trial_id"],
    [
      { ...METRIC, metrics: undefined, metric: { b: 2 } },
      { points: [{ key: "b", value: 2 }] },
      "metric",
      "metrics",
    ],
    [
      { ...FAILED, event: "ml.trial.pruned" },
      { type: "ml.trial.skipped", facts: { ends: "skipped" } },
      "event",
      "ml.trial.skipped",
    ],
    [
      { ...FAILED, event: "ml.trial.canceled" },
      { facts: { ends: "cancelled" } },
      "event",
      "ml.trial.cancelled",
    ],
  ])("is taken as what it stands for: %j", (body, event, word, meant) => {
    const { warnings, ...rest } = taken(
      Object.fromEntries(Object.entries(body).filter(([, v]) => v !== undefined)),
    );
    expect(rest).toMatchObject(event);
    expect(warnings).toMatchObject([
      { field: word, rule: expect.stringContaining(`is written ${meant}`), action: "renamed" },
    ]);
  });

  test.each([
    ["metric", "value"],
    ["name", "value"],
    ["key", "value"],
  ])("names a metric and its value: %s and %s", (name, value) => {
    const { points, warnings } = taken({ event: "ml.run.metric", ...IDS, [name]: "loss", [value]: 0.4 });
    expect(points).toEqual([{ key: "loss", value: 0.4, step: 0 }]);
    expect(warnings).toMatchObject([{ field: name }, { field: value }]);
  });

  test.each<[object, string, object]>([
    [{ ...START, params: { a: 1 }, parameters: { b: 2 } }, "params", { facts: { params: { b: "2" } } }],
    [{ ...METRIC, epoch: 3, step: 7 }, "epoch", { points: [{ step: 7 }] }],
    [{ ...METRIC, timestamp: AT, occurred_at: NOW }, "timestamp", { occurredAt: NOW }],
    [{ ...METRIC, epoch: 2.5 }, "epoch", { points: [{ step: 0 }], hasStep: false }],
    [{ ...START, experiment: { id: 3 } }, "experiment", {}],
    [{ ...START, params: "lr=1" }, "params", {}],
    [{ ...METRIC, timestamp: "yesterday" }, "timestamp", { occurredAt: null }],
    [{ ...FAILED, name: "n" }, "name", {}],
  ])("gives way where the documented one is there, or could not hold it: %j", (body, word, event) => {
    const { warnings, ...rest } = taken(body);
    expect(rest).toMatchObject(event);
    expect(warnings).toMatchObject([{ field: word, action: "left_out" }]);
  });

  test("is checked as the documented one: a time that no clock has is refused", () => {
    expect(checkEvent({ ...METRIC, timestamp: 1_764_000_000 }, NOW)).toMatchObject({
      ok: false,
      rejection: { problems: [{ field: "occurred_at", rule: expect.stringContaining("seconds") }] },
    });
  });

  test("of a time stands for that of the event that it is named after alone", () => {
    const end = { event: "ml.trial.complete", ...IDS, spectral_norm: true, metrics: {} };
    expect(taken({ ...end, started_at: AT - 5_000, completed_at: AT })).toMatchObject({
      occurredAt: AT,
      warnings: [
        { field: "completed_at", action: "renamed" },
        { field: "started_at", action: "left_out" },
      ],
    });
    expect(taken({ ...METRIC, started_at: AT })).toMatchObject({ occurredAt: null });
  });

  test("of two for one field the more exact is taken", () => {
    expect(taken({ ...METRIC, epoch: 3, global_step: 900 })).toMatchObject({
      points: [{ step: 900 }],
      warnings: [
        { field: "global_step", action: "renamed" },
        { field: "epoch", action: "left_out" },
      ],
    });
  });
});

test.each([
  ["paramters", "did you mean parameters?"],
  ["run_nmae", "did you mean run_name?"],
  ["runName", "did you mean run_name?"],
  ["metdata", "did you mean metadata?"],
  ["loss", "is not a field of ml.trial.start"],
  ["x".repeat(100_000), "is not a field of ml.trial.start"],
  ["constructor", "is not a field of ml.trial.start"],
])("an unknown field is left out, with the nearest known name: %s", (name, rule) => {
  expect(taken({ ...START, [name]: 1 }).warnings).toMatchObject([
    { value: "1", rule: expect.stringContaining(rule), action: "left_out" },
  ]);
});

test.each([
  ["parameters", "parameters"],
  ["Parameter", "parameters"],
  ["stpe", "step"],
  ["tep", "step"],
  ["ab", null],
  ["", null],
])("%j is nearest to %s", (word, near) => {
  expect(nearest(word, ["step", "parameters", "metrics"])).toBe(near);
});
