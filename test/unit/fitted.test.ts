import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkEvent } from "../../src/domain/events.ts";
import { fitted } from "../../src/domain/fitted.ts";
import { flatSize } from "../../src/domain/flat-size.ts";
import { MAX_EVENT_BYTES, MAX_EVENT_POINT_BYTES } from "../../src/domain/limits.ts";

/** What a start or an end keeps of more than the journal has room for: never nothing. */

const NOW = Date.parse("2026-06-01T12:00:00Z");
const IDS = { model_run_id: "m", trial_id: "t" };
const START = { event: "ml.trial.start", ...IDS, spectral_norm: true, experiment_name: "kept" };
const END = { event: "ml.trial.complete", ...IDS, spectral_norm: true, metrics: { loss: 0.4 } };
const FAILED = { event: "ml.trial.failed", ...IDS, error_message: "out of memory" };

function keptOf(body: object) {
  const checked = checkEvent(body, NOW);
  if (!checked.ok) throw new Error(JSON.stringify(checked.rejection));
  const event = fitted(checked.event);
  const { facts, points } = flatSize(event);
  expect(facts).toBeLessThanOrEqual(MAX_EVENT_BYTES);
  expect(points).toBeLessThanOrEqual(MAX_EVENT_POINT_BYTES);
  return event;
}

const many = (count: number, value: unknown) =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, value]));

test("an event that fits is left as it is", () => {
  const checked = checkEvent({ ...FAILED, stacktrace: "x".repeat(200_000) }, NOW);
  if (!checked.ok) throw new Error("not taken");
  expect(fitted(checked.event)).toBe(checked.event);
});

describe("a long text", () => {
  test.each([
    ["stacktrace", "a", 300_000],
    ["stacktrace", "\u0001", 700_000],
    ["stacktrace", "記", 1_300_000],
    ["stacktrace", "😀", 1_000_000],
    ["error_message", "a", 4_000_000],
    ["error_type", "a", 300_000],
    ["candidate_id", "a", 300_000],
    ["pulse_id", "a", 300_000],
  ])("of %s, %j times %#, is cut, and the failure stands", (field, char, count) => {
    const { facts, warnings } = keptOf({ ...FAILED, metrics: { loss: 1 }, [field]: char.repeat(count) });
    expect(facts).toMatchObject({ ends: "failed", finals: { loss: 1 } });
    const kept = String(facts?.fields?.[field]);
    expect([kept.length > 5_000, kept.isWellFormed(), char.repeat(count).startsWith(kept)]).toEqual([
      true,
      true,
      true,
    ]);
    expect(warnings).toContainEqual(expect.objectContaining({ field, action: "cut" }));
  });

  test("leaves room for every other", () => {
    const fields = ["error_message", "error_type", "stacktrace", "candidate_id", "pulse_id"];
    const { facts } = keptOf({
      ...FAILED,
      ...Object.fromEntries(fields.map((f) => [f, "x".repeat(300_000)])),
    });
    for (const field of fields) expect(String(facts?.fields?.[field]).length).toBeGreaterThan(20_000);
  });
});

describe("too many details", () => {
  test("of a start leave it its experiment, and as many of them as there is room for", () => {
    for (const [count, value] of [
      [300, "x".repeat(6_000)],
      [25_000, 7],
    ] as const) {
      const { facts, warnings, unsaid } = keptOf({ ...START, parameters: many(count, value) });
      expect(facts).toMatchObject({
        starts: true,
        fields: { experiment_name: "kept" },
        tags: { spectral_norm: "true" },
      });
      const kept = Object.keys(facts?.params ?? {}).length;
      expect(kept).toBeGreaterThan(20);
      expect(warnings).toHaveLength(100);
      expect(warnings.length + unsaid + kept).toBe(count);
    }
  });

  test("of an end leave it its status, with a step and without", () => {
    const metrics = many(40_000, 0.5);
    const { facts, unsaid } = keptOf({ ...END, metrics });
    expect(facts).toMatchObject({ ends: "succeeded" });
    expect(Object.keys(facts?.finals ?? {}).length + unsaid + 100).toBe(40_000);
    const stepped = keptOf({ ...END, metrics, step: 3 });
    expect(stepped).toMatchObject({ facts: { ends: "succeeded" }, points: { length: expect.any(Number) } });
    expect(stepped.points.length + stepped.unsaid + 100).toBe(40_000);
    expect(stepped.points.length).toBeGreaterThan(5_000);
  });

  test("of a metric event's metadata leave it its metrics", () => {
    const body = { event: "ml.run.metric", ...IDS, step: 1, metrics: { a: 1 } };
    const { points, warnings } = keptOf({ ...body, metadata: { text: "x".repeat(300_000), host: "n1" } });
    expect(points).toHaveLength(1);
    expect(warnings).toMatchObject([{ field: "metadata.text", action: "left_out" }]);
  });
});

test("whatever is too large, what is small is whole", () => {
  const text = fc.tuple(fc.constantFrom("x", "\n", "é", "😀"), fc.nat(300_000)).map(([c, n]) => c.repeat(n));
  const large = fc.record(
    {
      stacktrace: text,
      error_type: text,
      parameters: fc.nat(500).map((n) => many(n, "x".repeat(1_000))),
      metadata: fc.record({ a: text, b: text }),
      tags: fc.nat(200).map((n) => many(n, "y".repeat(3_000))),
      description: fc.constant("short"),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(large, (more) => {
      const { facts } = keptOf({ ...FAILED, duration_ms: 5, ...more });
      expect(facts).toMatchObject({
        announces: true,
        ends: "failed",
        fields: { error_message: "out of memory", duration_ms: 5 },
      });
    }),
    { numRuns: 15 },
  );
});
