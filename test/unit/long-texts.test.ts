import { expect, test } from "vitest";
import { sameMeaning } from "../../src/domain/values.ts";
import { experimentIdOf } from "../../src/gateway/requests/ids.ts";

/** Far longer than a text may be: at a cost that grew with the square of the length none of these would end in time. */
const LONG = 400_000;

test("an experiment's id of very many zeros", () => {
  const zeros = "0".repeat(LONG);
  expect(experimentIdOf(`${zeros}7`)).toBe("7");
  expect(experimentIdOf(`-${zeros}`)).toBe("-0");
  expect(() => experimentIdOf(`${zeros}x`)).toThrow("must be a valid integer");
});

test("a parameter of very many quotes, none of which ends a string", () => {
  const quotes = `[${"'\\".repeat(LONG)}`;
  expect(sameMeaning(quotes, `${quotes}[`)).toBe(false);
});
