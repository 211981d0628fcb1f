import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { downsample } from "../../src/domain/downsample.ts";
import { fromWire, toWire } from "../../src/domain/values.ts";

const value = fc.oneof(
  { weight: 8, arbitrary: fc.double({ noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(Number.NaN, Infinity, -Infinity, 0) },
);
const series = fc
  .array(value, { maxLength: 400 })
  .map((values) => values.map((v, step) => ({ step, value: toWire(v) })));

const numbers = (points: readonly { value: number | string }[]) =>
  points.map((point) => fromWire(point.value)).filter((v) => !Number.isNaN(v));

describe("downsample", () => {
  it("keeps to the budget, takes points as they are and keeps their order and both ends", () => {
    fc.assert(
      fc.property(series, fc.integer({ min: 2, max: 500 }), (points, max) => {
        const kept = downsample(points, max);
        expect(kept.length).toBeLessThanOrEqual(max);
        expect(kept.every((point) => points[point.step] === point)).toBe(true);
        const steps = kept.map((point) => point.step);
        expect(steps).toEqual([...new Set(steps)].sort((a, b) => a - b));
        expect(kept[0]).toBe(points[0]);
        expect(kept.at(-1)).toBe(points.at(-1));
      }),
    );
  });

  it("keeps the least and the greatest value of all", () => {
    fc.assert(
      fc.property(series, fc.integer({ min: 4, max: 500 }), (points, max) => {
        const kept = numbers(downsample(points, max));
        expect(Math.min(...kept)).toBe(Math.min(...numbers(points)));
        expect(Math.max(...kept)).toBe(Math.max(...numbers(points)));
      }),
    );
  });

  it("leaves a series that fits as it is", () => {
    fc.assert(
      fc.property(series, (points) => {
        expect(downsample(points, 400)).toEqual(points);
      }),
    );
  });

  it("keeps the extremes of each bucket, so that a short spike is seen", () => {
    const points = Array.from({ length: 10_000 }, (_, step) => ({
      step,
      value: step % 1000 === 500 ? 9 : 0,
    }));
    const kept = downsample(points, 100);
    expect(kept.filter((point) => point.value === 9)).toHaveLength(10);
  });

  it("keeps NaNs as marks, within the budget and beside the extremes", () => {
    const points = Array.from({ length: 1_000 }, (_, step) => ({
      step,
      value: step >= 300 && step < 500 ? "NaN" : step,
    }));
    const kept = downsample(points, 32);
    const marks = kept.filter((point) => point.value === "NaN");
    expect(marks.length).toBeGreaterThanOrEqual(2);
    expect(marks.every((point) => point.step >= 300 && point.step < 500)).toBe(true);
    expect(kept.length).toBeLessThanOrEqual(32);
  });

  it("thins out a series of nothing but NaN", () => {
    const points = Array.from({ length: 100 }, (_, step) => ({ step, value: "NaN" }));
    const kept = downsample(points, 11);
    expect(kept).toHaveLength(5);
    expect(kept.at(-1)).toBe(points.at(-1));
  });
});
