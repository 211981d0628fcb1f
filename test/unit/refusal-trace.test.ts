import { expect, test } from "vitest";
import { RefusalTrace } from "../../src/store/ops/refusals.ts";

const NOW = 1_800_000_000_000;
const refusal = (trialId: string) => ({
  tokenId: "t",
  modelRunId: "m",
  trialId,
  error: "validation_failed",
  field: "step",
  rule: "must be an integer",
  value: "1.5",
  requestId: "r",
  at: NOW,
});

/** A database that keeps what it was given. */
function recorder() {
  const written: { trialId: string; count: number }[][] = [];
  const db = {
    prepare: () => ({ bind: (value: unknown) => value }),
    batch: async ([rows]: unknown[]) => void written.push(JSON.parse(String(rows))),
  };
  return { written, db: db as unknown as D1Database };
}

test("a flood of refusals becomes no flood of writes", async () => {
  const { written, db } = recorder();
  const trace = new RefusalTrace();
  for (let ms = 0; ms < 60_000; ms++) {
    trace.add(refusal(`t${ms % 1_000}`));
    if (trace.isDue(NOW + ms)) await trace.flush(db);
  }
  expect(written.length).toBeLessThanOrEqual(10 + 60);
  for (const rows of written) expect(rows.length).toBeLessThanOrEqual(100);
});

test("a few are written down at once, and the same one again is counted", async () => {
  const { written, db } = recorder();
  const trace = new RefusalTrace();
  for (const trial of ["a", "b"]) {
    trace.add(refusal(trial));
    expect(trace.isDue(NOW)).toBe(true);
    await trace.flush(db);
  }
  for (let n = 0; n < 5; n++) trace.add(refusal("c"));
  await trace.flush(db);
  expect(written).toMatchObject([
    [{ trialId: "a", count: 1 }],
    [{ trialId: "b", count: 1 }],
    [{ trialId: "c", count: 5 }],
  ]);
  expect(trace.isDue(NOW)).toBe(false);
});
