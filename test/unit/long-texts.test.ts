import { expect, test } from "vitest";
import { sameMeaning } from "../../src/domain/values.ts";
import { experimentIdOf } from "../../src/gateway/requests/ids.ts";
import { outcome } from "./gateway/refused.ts";

/** Texts that are as long as one may be, and read at a cost that grows with their length and no faster. */

function msOf(work: () => void): number {
  const before = performance.now();
  work();
  return performance.now() - before;
}

test("an experiment's id of very many zeros", () => {
  const zeros = "0".repeat(30_000);
  expect(experimentIdOf(`${zeros}7`)).toBe("7");
  expect(experimentIdOf(`-${zeros}`)).toBe("-0");
  expect(msOf(() => outcome(() => experimentIdOf(`${zeros}x`)))).toBeLessThan(500);
});

test("a parameter of very many quotes, none of which ends a string", () => {
  const quotes = `[${"'\\".repeat(30_000)}`;
  expect(msOf(() => expect(sameMeaning(quotes, `${quotes}[`)).toBe(false))).toBeLessThan(500);
});
