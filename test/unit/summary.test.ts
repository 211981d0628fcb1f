import { describe, expect, test } from "vitest";
import { type Summary, summaryWith } from "../../src/domain/summary.ts";

const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;

/** What is the latest of points at one step and time, in either order of arrival. As MLflow 3.17 answers it. */
describe("the latest value", () => {
  test.each([
    [1, nan, 1],
    [nan, -1, nan],
    [nan, 0, 0],
    [nan, -infinity, nan],
    [nan, infinity, infinity],
    [infinity, -infinity, infinity],
    [2, 1, 2],
  ])("of %d and %d is %d", (a, b, latest) => {
    const at = (value: number) => ({ value, step: 3, timestamp: 5 });
    const summaryOf = (...values: number[]) =>
      values.reduce<Summary | undefined>((before, value) => summaryWith(before, at(value)), undefined);
    expect(summaryOf(a, b)?.last).toBe(latest);
    expect(summaryOf(b, a)?.last).toBe(latest);
  });

  test.each([
    ["a later step", { value: -5, step: 4, timestamp: 1 }, -5],
    ["a later time at the step", { value: -5, step: 3, timestamp: 6 }, -5],
    ["an earlier step at a later time", { value: 5, step: 2, timestamp: 9 }, nan],
    ["no step", { value: -5, step: null, timestamp: 1 }, -5],
  ])("after NaN goes by %s", (_, point, latest) => {
    const before = summaryWith(undefined, { value: nan, step: 3, timestamp: 5 });
    expect(summaryWith(before, point).last).toBe(latest);
  });
});
