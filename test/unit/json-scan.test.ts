import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { parseItems, parseJson, TooDeep } from "../../src/domain/json.ts";
import { scanJson } from "../../src/domain/json-scan.ts";
import { MAX_JSON_DEPTH } from "../../src/domain/limits.ts";

const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);

describe("the look before parsing", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  const pieces = ['"', "\\", '\\"', "NaN", "-Infinity", "Inf", "[", "]", "{", "}", ",", ":", " ", "1e5", "é"];

  test("takes a step a character, whatever comes", () => {
    const steps = vi.spyOn(String.prototype, "charCodeAt");
    const text = fc.oneof(
      fc.array(fc.constantFrom(...pieces), { maxLength: 2_000 }).map((parts) => parts.join("")),
      fc.tuple(fc.constantFrom(...pieces), fc.constantFrom(...pieces)).map(([a, b]) => a + b.repeat(2_000)),
    );
    fc.assert(
      fc.property(text, (text) => {
        steps.mockClear();
        scanJson(text);
        expect(steps.mock.calls.length).toBeLessThanOrEqual(2 * text.length + 1);
      }),
      { numRuns: 200 },
    );
  });

  test("changes no JSON that is not too deep", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(scanJson(text)).toMatchObject({ text, deep: new Map() });
      }),
    );
  });

  test("quotes Python's words wherever a value stands, and nowhere else", () => {
    const word = fc.constantFrom("NaN", "Infinity", "-Infinity");
    const string = fc.string().map((text) => JSON.stringify(`NaN ${text} -Infinity`));
    const list = fc.array(fc.oneof(word, string));
    fc.assert(
      fc.property(list, (items) => {
        const expected = items.map((item) => (item.startsWith('"') ? JSON.parse(item) : item));
        expect(parseJson(`[${items.join(", ")}]`)).toEqual(expected);
      }),
    );
  });

  test("counts at least the values that a text holds", () => {
    expect(scanJson('{"a":[1,2,{}],"b":"x,[y"}').values).toBe(7);
  });
});

describe("names that are there twice", () => {
  test.each<[string, string, [number, (string | number)[][]][]]>([
    ["none", '{"a":{"b":1},"b":[{"a":1},{"a":2}],"c":"a"}', []],
    ["in the object itself, once for all times", '{"a":1,"b":2,"a":3,"a":4}', [[0, [["a"]]]]],
    ["however they are written", String.raw`{"é":1,"\u00e9":2,"b\"":1,"b\"":{}}`, [[0, [["é"], ['b"']]]]],
    ["further in", '{"a":{"b":[0,{"c":1,"c":[]}]},"d":1}', [[0, [["a", "b", 1, "c"]]]]],
    ["by item of a list", '[{"a":1},{"a":1,"a":2},[{"b":1}],{"x":"a","a":"x"}]', [[1, [["a"]]]]],
    ["not in values", '{"a":"b","b":"a","c":["a","a","b"]}', []],
    [
      "beside what nests too deep",
      `{"a":${'[{"b":1,"b":2,'.repeat(120)}"x":1${"}]".repeat(120)},"c":1,"c":2}`,
      [[0, [...Array.from({ length: 49 }, () => expect.arrayContaining(["b"])), ["c"]]]],
    ],
  ])("%s", (_, text, expected) => {
    expect([...scanJson(text).doubled].map(([item, { paths }]) => [item, paths])).toEqual(expected);
  });

  test("are told of up to a bound, and counted beyond it", () => {
    const text = `{${Array.from({ length: 250 }, (_, i) => `"k${i}":1,"k${i}":2`).join(",")}}`;
    const doubled = scanJson(text).doubled.get(0);
    expect([doubled?.paths.length, doubled?.more]).toEqual([100, 150]);
  });

  test("are told of in no JSON that has none", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(scanJson(text).doubled.size).toBe(0);
      }),
    );
  });
});

describe("what nests too deep", () => {
  test("is refused from one level more than the bound", () => {
    expect(parseJson(`{"a":${nested(MAX_JSON_DEPTH - 1)}}`)).toHaveProperty("a");
    expect(() => parseJson(`{"a":${nested(MAX_JSON_DEPTH)}}`)).toThrow(TooDeep);
  });

  test.each([2_500, 3_500, 1_000_000])("is found %d levels deep", (levels) => {
    const { deep } = parseItems(`{"ok":1,"metadata":{"x":${nested(levels)}},"then":{"y":2}}`);
    expect([...deep]).toEqual([[0, "metadata"]]);
  });

  test("takes nothing else of a list along", () => {
    const deep = `{"a":1,"b":[0,${'{"k":['.repeat(300)}"]}",NaN${"]}".repeat(300)}]}`;
    const { value, deep: found } = parseItems(`[{"a":1},${deep},{"a":2},${deep},{"c":NaN}]`);
    expect([...found]).toEqual([
      [1, "b"],
      [3, "b"],
    ]);
    expect(value).toMatchObject([{ a: 1 }, { a: 1 }, { a: 2 }, { a: 1 }, { c: "NaN" }]);
  });

  test("is no JSON where it never closes", () => {
    expect(() => parseJson("[".repeat(5_000))).toThrow(SyntaxError);
    expect(() => parseJson(`${nested(200)}]`)).toThrow(SyntaxError);
  });
});
