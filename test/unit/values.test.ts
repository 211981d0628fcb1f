import { describe, expect, test } from "vitest";
import { flatten } from "../../src/domain/flatten.ts";
import { parseJson } from "../../src/domain/json.ts";
import { cut, keyProblem } from "../../src/domain/limits.ts";
import { canonicalJson, sameMeaning, toWire } from "../../src/domain/values.ts";

describe("parameters equal in meaning", () => {
  test.each([
    ["1", "1.0"],
    ["True", "true"],
    ["None", "null"],
    ["1e-4", "0.0001"],
    ["1e-07", "1e-7"],
    ["0.1", "0.10"],
    ["+3", "3"],
    ["-0", "0"],
    ["1e16", "10000000000000000"],
    ["[1, 2]", "[1,2]"],
    ["[128, 256, 128]", "[128,256,128]"],
    ["(1, 2)", "[1,2]"],
    ["{'a': 1, 'b': True}", '{"b":true,"a":1.0}'],
    ["(1,)", "[1]"],
    ["[9007199254740993, 1e0]", "[9007199254740993,1]"],
    ['["it\'s", None]', '["it\\u0027s",null]'],
    ["[nan, -inf]", "[NaN, -Infinity]"],
    ["nan", "NaN"],
    ["-inf", "-Infinity"],
  ])("%s is %s", (a, b) => {
    expect(sameMeaning(a, b)).toBe(true);
    expect(sameMeaning(b, a)).toBe(true);
  });

  test.each([
    ["1", "2"],
    ["adam", "Adam"],
    ["1", "one"],
    ["", "0"],
    ["12345678901234567", "12345678901234568"],
    ["-12345678901234567", "-12345678901234568"],
    ["[1,2]", "[2,1]"],
    ["true", "1"],
    ["0x10", "16"],
    ["a b", "a  b"],
    ["['True']", "[True]"],
    ["['1']", "[1]"],
    ["[9007199254740993]", "[9007199254740992]"],
  ])("%s is not %s", (a, b) => {
    expect(sameMeaning(a, b)).toBe(false);
    expect(sameMeaning(b, a)).toBe(false);
  });
});

describe("JSON as Python writes it", () => {
  test("bare NaN and infinities become text, but not within strings", () => {
    expect(
      parseJson('{"a": NaN, "b": [-Infinity, Infinity], "c": "NaN and \\"Infinity\\"", "NaN": 1}'),
    ).toEqual({
      a: "NaN",
      b: ["-Infinity", "Infinity"],
      c: 'NaN and "Infinity"',
      NaN: 1,
    });
  });

  test("integers that a double cannot hold stay whole", () => {
    expect(parseJson('{"seed": 12345678901234567890, "lr": 0.12345678901234568, "n": -3}')).toEqual({
      seed: 12345678901234567890n,
      lr: 0.12345678901234568,
      n: -3,
    });
  });

  test.each(['{"a": Nan}', "{", "", "[1,]", '{"a": NaNs}'])("%s is refused", (text) => {
    expect(() => parseJson(text)).toThrow(SyntaxError);
  });
});

test.each([
  ["loss", null],
  ["train/loss", null],
  ["größe 2.0: x_y-z", null],
  ["", "must not be empty"],
  ["a".repeat(250), null],
  ["a".repeat(251), "must have at most 250 characters"],
  ["a%b", "may only contain letters, digits"],
  ["a\nb", "may only contain letters, digits"],
  ["/a", "must be a normal path"],
  ["a/", "must be a normal path"],
  ["a//b", "must be a normal path"],
  ["a/../b", "must be a normal path"],
  ["./a", "must be a normal path"],
  ["a..b", null],
])("the key %j: %s", (key, problem) => {
  if (problem === null) expect(keyProblem(key)).toBeNull();
  else expect(keyProblem(key)).toContain(problem);
});

describe("flattening", () => {
  const flat = (map: Record<string, unknown>) =>
    flatten(map).map(({ key, value, problem }) => [key, value, problem === null]);

  test("joins with dots, and keeps lists and what is empty", () => {
    expect(flat({ a: { b: 1, c: { d: [1, { e: 2 }] } }, f: {} })).toEqual([
      ["a.b", 1, true],
      ["a.c.d", [1, { e: 2 }], true],
      ["f", {}, true],
    ]);
  });

  test("lets the first of two leaves of one name stand", () => {
    expect(flat({ "a.b": 1, a: { b: 2, c: 3 } })).toEqual([
      ["a.b", 1, true],
      ["a.b", 2, false],
      ["a.c", 3, true],
    ]);
  });

  test("takes as one leaf what nests deeper than 16, or lies below a name too long to be a key", () => {
    const deep = Array.from({ length: 20 }).reduce<Record<string, unknown>>((inner) => ({ n: inner }), {
      x: 1,
    });
    expect(flatten(deep)).toMatchObject([{ key: Array(16).fill("n").join("."), value: { n: { n: {} } } }]);
    expect(flatten({ ["x".repeat(600)]: { a: 1, b: 2 } })).toMatchObject([{ value: { a: 1, b: 2 } }]);
  });
});

test("canonical JSON does not depend on the order of keys", () => {
  expect(canonicalJson({ b: 1, a: [{ d: 1n, c: null }], u: undefined })).toBe(
    '{"a":[{"c":null,"d":1}],"b":1}',
  );
});

test("cutting counts code points and never halves one", () => {
  expect(cut("😀".repeat(200), 150)).toBe("😀".repeat(150));
});

test.each([
  [Number.NaN, "NaN"],
  [Infinity, "Infinity"],
  [-Infinity, "-Infinity"],
  [-0, 0],
  [1.5, 1.5],
])("%d travels as %s", (value, wire) => {
  expect(toWire(value)).toBe(wire);
});
