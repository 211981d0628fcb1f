import { expect, test } from "vitest";
import { parseRetryAfter } from "../../src/mlflow/failure.ts";

const NOW = Date.UTC(2026, 0, 1, 12, 0, 0);

test.each<[string | null, number | null]>([
  [null, null],
  ["", null],
  ["0", 0],
  ["3", 3000],
  [" 120 ", 120_000],
  ["9".repeat(400), Number.MAX_SAFE_INTEGER],
  ["Thu, 01 Jan 2026 12:00:05 GMT", 5000],
  ["Thu, 01 Jan 2026 11:00:00 GMT", 0],
  ["Thursday, 01-Jan-26 12:00:05 GMT", 5000],
  ["-5", null],
  ["1.5", null],
  ["soon", null],
  ["Thu, nonsense", null],
])("%j is %j ms", (header, expected) => {
  expect(parseRetryAfter(header, NOW)).toBe(expected);
});
