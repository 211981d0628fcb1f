import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkEvent } from "../../src/domain/events.ts";
import { parseItems } from "../../src/domain/json.ts";
import { pythonText } from "../../src/domain/python.ts";
import { canonicalJson, sameMeaning } from "../../src/domain/values.ts";

/** The parameters of a start, given as the text of its JSON. */
function params(json: string) {
  const text = `{"event":"ml.trial.start","model_run_id":"m","trial_id":"t","spectral_norm":true,"parameters":${json}}`;
  const { value, texts } = parseItems(text);
  const checked = checkEvent(value, Date.UTC(2026, 0, 1), texts);
  if (!checked.ok) throw new Error(JSON.stringify(checked.rejection));
  return checked.event.facts?.params;
}

describe("a parameter is the text that MLflow's own client would log", () => {
  test.each([
    ["1", "1"],
    ["1.0", "1.0"],
    ["1e-05", "1e-05"],
    ["1e-7", "1e-7"],
    ["1E5", "1E5"],
    ["0.10", "0.10"],
    ["-0.0", "-0.0"],
    ["1e+16", "1e+16"],
    ["1e400", "1e400"],
    ["0.1", "0.1"],
    ["12345678901234567890", "12345678901234567890"],
    ["123456789012345680.0", "123456789012345680.0"],
    ["true", "True"],
    ["false", "False"],
    ["null", "None"],
    ["NaN", "nan"],
    ["-Infinity", "-inf"],
    ["[NaN, Infinity, 1.0]", "[nan, inf, 1.0]"],
    ['"NaN"', "NaN"],
    ['"1.0"', "1.0"],
    ['""', ""],
    ['"it\'s"', "it's"],
    ["{}", "{}"],
    ["[]", "[]"],
    ["[128, 256,128]", "[128, 256, 128]"],
    ["[1.0, 1e-05, 9007199254740993]", "[1.0, 1e-05, 9007199254740993]"],
    ['["a", true, null, {"k": 1.0}]', "['a', True, None, {'k': 1.0}]"],
    ['["it\'s", "say \\"x\\"", "both \'\\""]', "[\"it's\", 'say \"x\"', 'both \\'\"']"],
    ['["a\\nb\\\\c\\u0007é\\u00a0\\u2028\\ud83d\\ude00"]', "['a\\nb\\\\c\\x07é\\xa0\\u2028😀']"],
    ["[[], {}]", "[[], {}]"],
  ])("%s is %s", (json, text) => {
    expect(params(`{"p": ${json}}`)).toEqual({ p: text });
  });

  test("also within nested objects, which are flattened", () => {
    expect(
      params('{"opt": {"lr": 1e-05, "nesterov": false, "extra": {}, "betas": [0.9, 1.0]}, "seed": null}'),
    ).toEqual({
      "opt.lr": "1e-05",
      "opt.nesterov": "False",
      "opt.extra": "{}",
      "opt.betas": "[0.9, 1.0]",
      seed: "None",
    });
  });

  test("and below where names are flattened no further", () => {
    const deep = `${'{"n":'.repeat(16)}{"x": 1.0}${"}".repeat(16)}`;
    expect(params(deep)).toEqual({ [Array(16).fill("n").join(".")]: "{'x': 1.0}" });
  });

  test("a number keeps its text, whatever it is", () => {
    const digits = fc.stringMatching(/^-?(0|[1-9]\d{0,25})(\.\d{1,25})?([eE][+-]?\d{1,3})?$/);
    fc.assert(
      fc.property(digits, (text) => {
        expect(params(`{"a":${text},"b":[${text}]}`)).toEqual({ a: text, b: `[${text}]` });
      }),
    );
  });
});

test("every value means the same as Python writes it and as JSON does", () => {
  fc.assert(
    fc.property(fc.oneof(fc.array(fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue())), (value) => {
      expect(sameMeaning(pythonText(value, {}, "", new Map()), canonicalJson(value))).toBe(true);
    }),
  );
});

test("values that differ do not mean the same", () => {
  const value = fc.array(fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)));
  fc.assert(
    fc.property(value, value, (a, b) => {
      fc.pre(canonicalJson(a) !== canonicalJson(b));
      expect(sameMeaning(pythonText(a, {}, "", new Map()), pythonText(b, {}, "", new Map()))).toBe(false);
    }),
  );
});
