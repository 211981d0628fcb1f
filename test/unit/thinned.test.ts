import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type CurvePoint, stepBuckets } from "../../src/domain/curve.ts";
import { compareByRecency } from "../../src/domain/observations.ts";
import { Thinned } from "../../src/domain/thinned.ts";

const point = fc.tuple(
  fc.integer({ min: -20, max: 300 }),
  fc.integer({ min: 0, max: 3 }),
  fc.oneof(fc.integer({ min: -5, max: 5 }), fc.constantFrom("NaN", "Infinity", "-Infinity")),
);
const asObservation = ([step, timestamp, value]: CurvePoint) => ({ step, timestamp, value });
const values = (points: readonly CurvePoint[]) => points.map(([, , value]) => value);
const numbers = (points: readonly CurvePoint[]) =>
  values(points).filter((value) => typeof value === "number");
const marks = (points: readonly CurvePoint[]) =>
  new Set(values(points).filter((value) => typeof value === "string"));

test("a thinned curve keeps its ends, and of each bucket the extremes and a mark of each kind, in whatever order points come", () => {
  fc.assert(
    fc.property(fc.array(point, { minLength: 1 }), fc.integer({ min: 1, max: 30 }), (points, count) => {
      const steps = points.map(([step]) => step);
      const buckets = stepBuckets(Math.min(...steps), Math.max(...steps), count);
      const thinned = new Thinned(buckets);
      for (const one of points) thinned.add(one);
      const kept = thinned.points();
      expect(points).toEqual(expect.arrayContaining(kept));
      const sorted = points.map(asObservation).sort(compareByRecency);
      const found = kept.map(asObservation).sort(compareByRecency);
      expect([found[0], found.at(-1)]).toEqual([sorted[0], sorted.at(-1)]);
      for (const [first, last] of buckets) {
        const inBucket = (list: readonly CurvePoint[]) =>
          list.filter(([step]) => step >= first && step <= last);
        const [mine, all] = [inBucket(kept), inBucket(points)];
        expect(marks(mine)).toEqual(marks(all));
        expect([Math.min(...numbers(mine)), Math.max(...numbers(mine))]).toEqual([
          Math.min(...numbers(all)),
          Math.max(...numbers(all)),
        ]);
      }
      expect(kept.length).toBeLessThanOrEqual(2 + buckets.length * (2 + marks(points).size));
    }),
  );
});
