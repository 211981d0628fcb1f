import fc from "fast-check";
import { expect, test } from "vitest";
import { BATCH_MAX_ITEMS, BATCH_MAX_PARAMS, BATCH_MAX_TAGS } from "../../src/domain/limits.ts";
import { countOf, type Items, packBatches, pieces } from "../../src/mlflow/plan.ts";

const text = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.constant("ü".repeat(3_000)),
  fc.constant("\u0001".repeat(6_000)),
);
const param = fc.record({ key: fc.string({ minLength: 1, maxLength: 10 }), value: text });
const items: fc.Arbitrary<Items> = fc.record({
  metrics: fc
    .tuple(fc.nat(3_000), fc.string({ maxLength: 10 }))
    .map(([count, key]) =>
      Array.from({ length: count }, (_, step) => ({ key, value: "NaN", timestamp: 1_700_000_000_000, step })),
    ),
  params: fc.array(param, { maxLength: 250 }),
  tags: fc.array(param, { maxLength: 250 }),
});

const all = (batches: readonly Items[]) => ({
  metrics: batches.flatMap((b) => b.metrics),
  params: batches.flatMap((b) => b.params),
  tags: batches.flatMap((b) => b.tags),
});

test("batches keep MLflow's limits with the token tag in them, and lose and double nothing", () => {
  fc.assert(
    fc.property(items, (input) => {
      const batches = packBatches(input);
      expect(all(batches)).toEqual(input);
      for (const batch of batches) {
        expect(countOf(batch)).toBeGreaterThan(0);
        expect(countOf(batch) + 1).toBeLessThanOrEqual(BATCH_MAX_ITEMS);
        expect(batch.params.length).toBeLessThanOrEqual(BATCH_MAX_PARAMS);
        expect(batch.tags.length + 1).toBeLessThanOrEqual(BATCH_MAX_TAGS);
        expect(new TextEncoder().encode(JSON.stringify(batch)).length).toBeLessThan(1_000_000);
      }
    }),
    { numRuns: 100 },
  );
});

test("points alone fill batches to the brim", () => {
  const metrics = Array.from({ length: 2_500 }, (_, step) => ({ key: "loss", value: 1, timestamp: 1, step }));
  expect(packBatches({ metrics, params: [], tags: [] }).map(countOf)).toEqual([999, 999, 502]);
});

test("parameters go out before metrics", () => {
  const params = Array.from({ length: 120 }, (_, i) => ({ key: `p${i}`, value: "1" }));
  const metrics = [{ key: "loss", value: 1, timestamp: 1, step: 1 }];
  expect(packBatches({ metrics, params, tags: [] }).map((b) => [b.params.length, b.metrics.length])).toEqual([
    [100, 0],
    [20, 1],
  ]);
});

test("pieces lose and double nothing", () => {
  fc.assert(
    fc.property(items, fc.integer({ min: 1, max: 400 }), (input, size) => {
      const cut = pieces(input, size);
      expect(all(cut)).toEqual(input);
      for (const piece of cut) expect(countOf(piece)).toBeLessThanOrEqual(size);
    }),
    { numRuns: 50 },
  );
});
