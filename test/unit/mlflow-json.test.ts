import { describe, expect, test } from "vitest";
import { parseJson, storedValue, stringifyJson } from "../../src/mlflow/json.ts";

describe("parseJson", () => {
  test.each<[string, unknown]>([
    ["9007199254740991", 9007199254740991],
    ["-9007199254740991", -9007199254740991],
    ["9007199254740992", 9007199254740992n],
    ["-9007199254740993", -9007199254740993n],
    ["9223372036854775807", 9223372036854775807n],
    ["-9223372036854775808", -9223372036854775808n],
    ["1795438516647", 1795438516647],
    ["1.7976931348623157e+308", Number.MAX_VALUE],
    ["0.12345678901234568", 0.12345678901234568],
    ["1e+20", 1e20],
    ['"NaN"', "NaN"],
    ['"9007199254740993"', "9007199254740993"],
  ])("%s", (source, expected) => {
    expect(parseJson(`{"a":[{"b":${source}}],"c":1}`)).toEqual({ a: [{ b: expected }], c: 1 });
  });
  test.each(["", "OK", "{", '{"a":NaN}', "<html>", '{"a":9007199254740993'])("%j is not JSON", (text) => {
    expect(parseJson(text)).toBeUndefined();
  });
  test("null is JSON", () => expect(parseJson("null")).toBeNull());
});

describe("stringifyJson", () => {
  test("bigints are plain numbers, what is not finite is a string", () => {
    const body = {
      step: 9223372036854775807n,
      low: -(2n ** 63n),
      nan: NaN,
      up: Infinity,
      down: -Infinity,
      n: 1.5,
    };
    expect(stringifyJson(body)).toBe(
      '{"step":9223372036854775807,"low":-9223372036854775808,"nan":"NaN","up":"Infinity","down":"-Infinity","n":1.5}',
    );
  });
  test("undefined fields are left out, and int64 comes back as it went", () => {
    const body = { a: undefined, steps: [2n ** 53n + 1n, 7] };
    expect(parseJson(stringifyJson(body))).toEqual({ steps: [9007199254740993n, 7] });
  });
});

test.each([
  [Infinity, 1.7976931348623157e308],
  [-Infinity, -1.7976931348623157e308],
  [NaN, NaN],
  [-0, 0],
  [0.1, 0.1],
])("storedValue(%d) is %d", (value, stored) => {
  expect(Object.is(storedValue(value), stored)).toBe(true);
});
