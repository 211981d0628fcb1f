import { expect, it } from "vitest";
import { shortNumber } from "../../src/dashboard/parts/number.ts";
import { withQuery } from "../../src/dashboard/parts/query.ts";
import { duration } from "../../src/dashboard/parts/time.tsx";

it.each([
  [0, "0"],
  [12, "12"],
  [0.1 + 0.2, "0.3"],
  [123_456.789, "123460"],
  [1e9, "1e+9"],
  [1.5e-7, "1.5e-7"],
  [-0.00012345678, "-0.00012346"],
  ["NaN", "NaN"],
  ["-Infinity", "-∞"],
] as const)("the number %s is shown as %s", (value, shown) => {
  expect(shortNumber(value)).toBe(shown);
});

it.each([
  [-5_000, "0 ms"],
  [0, "0 ms"],
  [999, "999 ms"],
  [1_000, "1 s"],
  [61_500, "1 min 1 s"],
  [3_600_000, "1 h"],
  [90_061_000, "1 d 1 h"],
])("%i ms are %s", (ms, words) => {
  expect(duration(ms)).toBe(words);
});

it("an address changes in what is said, and keeps the rest", () => {
  const url = new URL("http://relay.test/?search=a%26b&cursor=x");
  expect(withQuery(url, { cursor: null, sort: "-x" })).toBe("/?search=a%26b&sort=-x");
  expect(withQuery(url, { cursor: null, search: null })).toBe("/");
});
