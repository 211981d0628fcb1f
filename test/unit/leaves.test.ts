import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkEvent } from "../../src/domain/events.ts";
import { parseJson } from "../../src/domain/json.ts";

/** What becomes of each detail of an event: taken, taken in another form, cut or left out, never the event's end. */

const NOW = Date.parse("2026-06-01T12:00:00Z");
const IDS = { model_run_id: "m", trial_id: "t" };
const START = { event: "ml.trial.start", ...IDS, spectral_norm: true };
const END = { event: "ml.trial.complete", ...IDS, spectral_norm: true, metrics: { loss: 0.4 } };
const METRIC = { event: "ml.run.metric", ...IDS, step: 1 };

function taken(body: unknown) {
  const checked = checkEvent(body, NOW);
  if (!checked.ok) throw new Error(JSON.stringify(checked.rejection));
  return checked.event;
}

function metricsOf(metrics: unknown, more: object = {}) {
  const { points, warnings } = taken({ ...METRIC, metrics, ...more });
  return { metrics: Object.fromEntries(points.map(({ key, value }) => [key, value])), warnings };
}

describe("a metric's value", () => {
  test.each([
    [0.5, 0.5],
    [0, 0],
    ["NaN", "NaN"],
    ["nan", "NaN"],
    ["-inf", "-Infinity"],
    [12345n, 12345],
  ])("%s is taken", (value, wire) => {
    expect(metricsOf({ loss: value })).toEqual({ metrics: { loss: wire }, warnings: [] });
  });

  test.each([
    ["0.52", 0.52],
    [" 1e-3 ", 0.001],
    [".5", 0.5],
    ["5.", 5],
    ["+7", 7],
    [true, 1],
    [false, 0],
    ["Inf", "Infinity"],
    ["+inf", "Infinity"],
    ["-INFINITY", "-Infinity"],
    ["NAN", "NaN"],
    ["np.float64(0.52)", 0.52],
    ["np.float32(nan)", "NaN"],
  ])("%j is taken in another form", (value, wire) => {
    const { metrics, warnings } = metricsOf({ loss: value });
    expect(metrics).toEqual({ loss: wire });
    expect(warnings).toEqual([
      { field: "metrics.loss", value: expect.any(String), rule: expect.any(String), action: "converted" },
    ]);
  });

  test("that is more than a float holds exactly is taken as the nearest", () => {
    const { metrics, warnings } = metricsOf({ loss: 9007199254740993n });
    expect(metrics).toEqual({ loss: 9007199254740992 });
    expect(warnings).toMatchObject([{ value: "9007199254740993", action: "converted" }]);
  });

  test.each([
    [null],
    ["n1"],
    [""],
    ["0x10"],
    ["0,5"],
    ["52%"],
    ["1e400"],
    [Infinity],
    [10n ** 400n],
    [[0.4]],
    [{}],
    ["(1+2j)"],
  ])("%s is left out, and the others stand", (value) => {
    const { metrics, warnings } = metricsOf({ good: 1, bad: value, other: 2 });
    expect(metrics).toEqual({ good: 1, other: 2 });
    expect(warnings).toMatchObject([{ field: "metrics.bad", action: "left_out" }]);
  });
});

test.each(["acc@5", "", "a%", "/x", "a//b", "x".repeat(251), "..", "__proto__"])(
  "a metric or parameter named %j is left out alone, as is its tag",
  (name) => {
    const map: Record<string, unknown> = JSON.parse(`{"loss":1,${JSON.stringify(name)}:2}`);
    expect(metricsOf(map)).toMatchObject({
      metrics: { loss: 1 },
      warnings: [{ field: expect.stringContaining("metrics."), value: "2", action: "left_out" }],
    });
    const { facts, warnings } = taken({ ...START, parameters: map, tags: map });
    expect(facts?.params).toEqual({ loss: "1" });
    expect(facts?.tags).toMatchObject({ loss: "1" });
    expect(warnings).toHaveLength(2);
  },
);

test("of two leaves that would be one the first stands", () => {
  expect(metricsOf({ "a.b": 1, a: { b: 2, c: 3 } })).toMatchObject({
    metrics: { "a.b": 1, "a.c": 3 },
    warnings: [{ field: "metrics.a.b", value: "2", action: "left_out" }],
  });
  expect(metricsOf({ loss: 1 }, { metric_name: "loss", metric_value: 2 })).toMatchObject({
    metrics: { loss: 1 },
    warnings: [{ field: "metric_name", action: "left_out" }],
  });
});

describe("an event whose only content is bad", () => {
  test.each([
    [{ metrics: { "acc@5": 0.9 } }, ["metrics.acc@5"]],
    [{ metrics: { a: "high", b: null } }, ["metrics.a", "metrics.b"]],
    [{ metrics: {} }, ["metrics"]],
    [{ metrics: [1] }, ["metrics"]],
    [{ metric_name: "x", metric_value: "high" }, ["metric_value"]],
    [{ metric_name: "x%", metric_value: 1 }, ["metric_name"]],
    [{ metric_name: "x", metric_value: "high", metrics: { y: [] } }, ["metrics.y", "metric_value"]],
  ])("is refused for it: %j", (content, fields) => {
    const checked = checkEvent({ ...METRIC, ...content }, NOW);
    expect(checked).toMatchObject({ ok: false, rejection: { status: 422 } });
    if (!checked.ok) expect(checked.rejection.problems.map(({ field }) => field)).toEqual(fields);
  });

  test("is refused however much else there is to say of it", () => {
    const unknown = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`unknown ${i}`, i]));
    const bad = { ...METRIC, ...unknown, metric_name: "x", metric_value: "high" };
    expect(checkEvent(bad, NOW)).toMatchObject({ ok: false, rejection: { status: 422 } });
  });

  test("is taken where it says more: an end is never lost for its metrics", () => {
    expect(taken({ ...END, metrics: { a: "high" } })).toMatchObject({
      facts: { ends: "succeeded" },
      warnings: [{ field: "metrics.a", action: "left_out" }],
    });
  });
});

describe("a side field", () => {
  const NUL = "a\0b";
  test.each<[object, string, unknown, string]>([
    [{ ...END, duration_ms: 1234.567 }, "duration_ms", 1235, "converted"],
    [{ ...END, duration_ms: "1234.4" }, "duration_ms", 1234, "converted"],
    [{ ...END, rank: "1" }, "rank", 1, "converted"],
    [{ ...END, candidate_id: 7 }, "candidate_id", "7", "converted"],
    [{ ...END, pulse_id: true }, "pulse_id", "true", "converted"],
    [{ ...END, artifact_uri: { a: 1 } }, "artifact_uri", '{"a":1}', "converted"],
    [{ ...END, warnings: "slow" }, "warnings", ["slow"], "converted"],
    [{ ...END, warnings: ["slow", null, 3] }, "warnings", ["slow", "3"], "converted"],
    [{ ...START, run_name: 7 }, "run_name", "7", "converted"],
    [{ ...START, run_name: "n".repeat(251) }, "run_name", "n".repeat(250), "cut"],
    [{ ...START, run_name: NUL }, "run_name", "a\ufffdb", "converted"],
    [{ ...START, experiment_name: 2026 }, "experiment_name", "2026", "converted"],
    [{ ...METRIC, metrics: { a: 1 }, spectral_norm: "True" }, "spectral_norm", true, "converted"],
    [{ ...METRIC, metrics: { a: 1 }, spectral_norm: 0 }, "spectral_norm", false, "converted"],
    [
      { event: "ml.trial.failed", ...IDS, error_message: "x", stacktrace: ["a\n", "b\n"] },
      "stacktrace",
      "a\nb",
      "converted",
    ],
    [{ event: "ml.trial.failed", ...IDS, error_message: 137 }, "error_message", "137", "converted"],
  ])("of another form is taken: %j", (body, field, value, action) => {
    const { facts, warnings } = taken(body);
    expect(facts?.fields).toMatchObject({ [field]: value });
    expect(warnings).toMatchObject([{ field, action }]);
  });

  test.each<[object, string]>([
    [{ ...END, duration_ms: -1 }, "duration_ms"],
    [{ ...END, duration_ms: "long" }, "duration_ms"],
    [{ ...END, duration_ms: "NaN" }, "duration_ms"],
    [{ ...END, rank: 1.5 }, "rank"],
    [{ ...END, rank: true }, "rank"],
    [{ ...END, rank: 1e300 }, "rank"],
    [{ ...END, warnings: { a: 1 } }, "warnings"],
    [{ ...END, bridge_payload: "x" }, "bridge_payload"],
    [{ ...END, metadata: "x" }, "metadata"],
    [{ ...END, parameters: [1] }, "parameters"],
    [{ ...END, tags: "x" }, "tags"],
    [{ ...END, description: ["x"] }, "description"],
    [{ ...END, correlation_id: "x".repeat(256) }, "correlation_id"],
    [{ ...END, actor: [1] }, "actor"],
    [{ ...START, resume: "perhaps" }, "resume"],
    [{ ...START, run_name: "" }, "run_name"],
    [{ event: "ml.trial.cancelled", ...IDS, metrics: [1] }, "metrics"],
  ])("that cannot be taken is left out: %j", (body, field) => {
    const { facts, warnings } = taken(body);
    expect(facts).toMatchObject({ announces: true });
    expect(facts?.fields ?? {}).not.toHaveProperty(field);
    expect(warnings).toMatchObject([{ field, action: "left_out" }]);
  });

  test.each([
    [{ ...START, spectral_norm: "true" }, "spectral_norm"],
    [{ ...START, trial_id: true }, "trial_id"],
    [{ ...START, trial_id: "" }, "trial_id"],
    [{ ...START, event_id: ["x"] }, "event_id"],
    [{ ...START, mlflow_run_id: "abc" }, "mlflow_run_id"],
    [{ ...START, experiment_name: "x".repeat(257) }, "experiment_name"],
    [{ ...START, occurred_at: "yesterday" }, "occurred_at"],
    [{ ...END, metrics: [1] }, "metrics"],
    [{ ...END, step: 1.5 }, "step"],
    [{ ...END, step: 2 ** 53 }, "step"],
    [
      { event: "ml.run.start", model_run_id: "m", requested_trials: "4", search_space_version: 1 },
      "requested_trials",
    ],
    [{ event: "ml.run.stop", model_run_id: "m", state: "done", completed_trials: 1 }, "state"],
  ])("that gives the event its meaning is strict: %j", (body, field) => {
    expect(checkEvent(body, NOW)).toMatchObject({
      ok: false,
      rejection: { status: 422, problems: [{ field }] },
    });
  });

  test.each([
    [50, 50, 0],
    ["50", 50, 1],
    ["50.0", 50, 1],
    [" -3 ", -3, 1],
  ])("step %j is %d", (step, value, warnings) => {
    const event = taken({ ...METRIC, step, metrics: { a: 1 } });
    expect(event.points).toMatchObject([{ step: value }]);
    expect(event.warnings).toHaveLength(warnings);
  });

  test.each([
    ["FINISHED", "succeeded"],
    ["succeeded", "succeeded"],
    ["canceled", "cancelled"],
    ["Failed", "failed"],
  ])("state %s is %s", (state, ends) => {
    const stop = { event: "ml.run.stop", model_run_id: "m", state, completed_trials: 1 };
    expect(taken(stop)).toMatchObject({
      facts: { ends },
      warnings: [{ field: "state", action: "converted" }],
    });
  });
});

describe("text", () => {
  test.each([
    ["parameters", 6_000, (facts: ReturnType<typeof taken>["facts"]) => facts?.params?.k],
    ["tags", 8_000, (facts: ReturnType<typeof taken>["facts"]) => facts?.tags?.k],
    ["metadata", 8_000, (facts: ReturnType<typeof taken>["facts"]) => facts?.tags?.["metadata.k"]],
  ])("of %s is cut to %d characters, as MLflow counts them", (field, max, inFacts) => {
    const whole = taken({ ...START, [field]: { k: "😀".repeat(max) } });
    expect(whole.warnings).toEqual([]);
    const { facts, warnings } = taken({ ...START, [field]: { k: "😀".repeat(max + 1) } });
    expect(inFacts(facts)).toBe("😀".repeat(max));
    expect(warnings).toMatchObject([{ field: `${field}.k`, action: "cut" }]);
    const value = warnings[0]?.value ?? "";
    expect([value.isWellFormed(), [...value].length <= 101]).toEqual([true, true]);
  });

  test("of who runs it is what a database of MLflow's can hold", () => {
    for (const said of [{ actor: { id: "a\0b" } }, { metadata: { user_id: "a\0b" } }])
      expect(taken({ ...START, ...said }).facts?.fields).toMatchObject({ user: "a\ufffdb" });
  });

  test("that no database of MLflow's can hold is replaced", () => {
    const { facts, warnings } = taken({ ...START, parameters: { a: "x\0y", b: "\ud800" } });
    expect(facts?.params).toEqual({ a: "x\ufffdy", b: "\ufffd" });
    expect(warnings).toMatchObject([{ action: "converted" }, { action: "converted" }]);
  });
});

describe("a tag of the trainer's", () => {
  test.each([
    "mlflow.source.name",
    "mlflow.source.git.commit",
    "mlflow.user",
    "mlflow.project.env",
    "mlflow.note.content",
  ])("may be %s", (key) => {
    expect(taken({ ...START, tags: { [key]: "x" } })).toMatchObject({
      facts: { tags: { [key]: "x" } },
      warnings: [],
    });
  });

  test.each([
    ["mlflow.parentRunId", "x", "must not begin with mlflow."],
    ["mlflow.runName", "x", "must not begin with mlflow."],
    ["mlflow.userX", "x", "must not begin with mlflow."],
    ["relay.batch", "x", "must not begin with relay."],
    ["thunderline_trial_id", "x", "must not begin with thunderline_"],
    ["a", { b: 1 }, "must be a string, a number, true or false"],
    ["a", null, "must be a string, a number, true or false"],
    ["a", [1], "must be a string, a number, true or false"],
  ])("%s with %j is left out", (key, value, rule) => {
    const { facts, warnings } = taken({ ...START, tags: { [key]: value, team: "vision" } });
    expect(facts?.tags).toMatchObject({ team: "vision" });
    expect(facts?.tags).not.toHaveProperty([key]);
    expect(warnings).toMatchObject([
      { field: `tags.${key}`, rule: expect.stringContaining(rule), action: "left_out" },
    ]);
  });
});

test("two bad leaves of a thousand leave 998, whatever they hold", () => {
  const bad = fc.oneof(
    fc
      .string()
      .filter((text) => text.trim() === "" || Number.isNaN(Number(text)))
      .filter((text) => !/nan|inf|\(/i.test(text)),
    fc.constant(null),
    fc.array(fc.integer()),
    fc.constant({}),
  );
  const places = fc.uniqueArray(fc.integer({ min: 0, max: 999 }), { minLength: 2, maxLength: 2 });
  fc.assert(
    fc.property(places, bad, bad, (at, ...values) => {
      const metrics: Record<string, unknown> = Object.fromEntries(
        Array.from({ length: 1_000 }, (_, i) => [`m${i}`, i]),
      );
      for (const [n, i] of at.entries()) metrics[`m${i}`] = values[n];
      const { points, warnings } = taken({ ...METRIC, metrics });
      expect(points).toHaveLength(998);
      expect(warnings).toHaveLength(2);
    }),
  );
});

test.each<unknown>([{ toString: 0 }, "constructor", "__proto__", { valueOf: null }])(
  "what objects have of themselves is no flag: %j",
  (resume) => {
    const { facts, warnings } = taken({ ...START, resume });
    expect(facts).toMatchObject({ starts: true });
    expect(facts?.resumes).toBeUndefined();
    expect(warnings).toMatchObject([{ field: "resume", action: "left_out" }]);
  },
);

test("anything at all in the details leaves a start a start", () => {
  const details = [
    "parameters",
    "tags",
    "metadata",
    "description",
    "candidate_id",
    "run_name",
    "resume",
    "actor",
    "correlation_id",
  ];
  const body = fc.record(Object.fromEntries(details.map((name) => [name, fc.jsonValue()])), {
    requiredKeys: [],
  });
  fc.assert(
    fc.property(body, (sides) => {
      const { facts, warnings } = taken({ ...START, ...sides });
      expect(facts).toMatchObject({ announces: true, starts: true });
      expect(warnings.length).toBeLessThanOrEqual(100);
      for (const text of Object.values({ ...facts?.params, ...facts?.tags }))
        expect([text.isWellFormed(), text.includes("\0")]).toEqual([true, false]);
    }),
  );
});

test("at most a hundred warnings are said, each cut, and the rest is counted", () => {
  const long = "y".repeat(10_000);
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`%${i}${long}`, long]));
  const { warnings, unsaid } = taken({ ...START, parameters: many });
  expect([warnings.length, unsaid]).toEqual([100, 400]);
  for (const { field, value } of warnings) expect(field.length + value.length).toBeLessThan(500);
});

test("the same body is the same event, however often it is read", () => {
  const text =
    '{"event":"ml.run.metric","model_run_id":"m","trial_id":"t","step":"3","metrics":{"a":"0.5","b":null}}';
  expect(taken(parseJson(text))).toEqual(taken(parseJson(text)));
});
