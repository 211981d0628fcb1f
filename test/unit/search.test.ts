import { describe, expect, it } from "vitest";
import { parseFilter } from "../../src/search/filter.ts";
import { clausesOf } from "../../src/search/order-by.ts";
import { offsetOf, pageToken } from "../../src/search/page-token.ts";
import { SearchRefusal } from "../../src/search/refusal.ts";
import { RUNS } from "../../src/search/runs-language.ts";
import { tokenise } from "../../src/search/tokens.ts";

describe("the words of a filter", () => {
  it.for([
    ["a.b>=-1.5", ["name a", "other .", "name b", "comparator >=", "number -1.5"]],
    ["`a``b` = 'it''s'", ["name `a``b`", "comparator =", "text 'it''s'"]],
    [`"x\\"y" not  like 'open`, [`symbol "x\\"y"`, "comparator not  like", "other '", "word open"]],
    ["a IS NOT NULL desc", ["word a", "keyword IS", "keyword NOT NULL", "order desc"]],
    ["val-loss", ["word val", "operator -", "word loss"]],
    ["a.12b", ["word a", "number .1", "word 2b"]],
  ] as const)("%s", ([text, tokens]) => {
    const words = tokenise(text).filter(({ type }) => type !== "space");
    expect(words.map(({ type, text }) => `${type} ${text}`)).toEqual(tokens);
  });

  it("are as many as MLflow reads, at most", () => {
    expect(tokenise("(".repeat(10_000))).toHaveLength(10_000);
    expect(() => tokenise("(".repeat(10_001))).toThrow(SearchRefusal);
    expect(() => tokenise("'".repeat(100_001))).toThrow(SearchRefusal);
  });
});

describe("a filter", () => {
  it.for([
    ["metrics.a = 1", "metric a = 1"],
    ["param.`a b` LIKE '%'", "parameter a b LIKE %"],
    ['tag."x" ilike "Y"', "tag x ILIKE Y"],
    ["run.Created < 5", "attribute Created < 5"],
    ["run_id not in ('a' , \"b\",)", "attribute run_id NOT IN a,b"],
    ["datasets.name IN ('it\\'s')", "dataset name IN it's"],
  ] as const)("%s", ([text, clause]) => {
    const [found] = parseFilter(text, RUNS);
    expect([found?.subject.entity, found?.subject.key, found?.comparator, found?.value].join(" ")).toBe(
      clause,
    );
  });
});

it("order_by in one text is cut at its commas, but not within quotes", () => {
  expect(clausesOf("metrics.`a, b` DESC , start_time")).toEqual(["metrics.`a, b` DESC", "start_time"]);
});

/** As MLflow 3.17 answers it. */
describe("a page token", () => {
  it.for([
    [1000, "eyJvZmZzZXQiOiAxMDAwfQ=="],
    [7, "eyJvZmZzZXQiOiA3fQ=="],
  ] as const)("of %i is %s", ([offset, token]) => {
    expect(pageToken(offset)).toBe(token);
    expect(offsetOf(token)).toBe(offset);
  });

  it.for([
    ["", 0],
    [" eyJvZmZzZXQiOiA1fQ==!!", 5],
    [btoa('{"offset": "7"}'), 7],
    [btoa('{"offset": " 1_0 "}'), 10],
    [btoa('{"offset": 2.7}'), 2],
    [btoa('{"offset": 1e3}'), 1000],
    [btoa('{"offset": -5}'), 0],
  ] as const)("%s stands for %i", ([token, offset]) => {
    expect(offsetOf(token)).toBe(offset);
  });

  it.for([
    ["abc", "could not base64-decode"],
    ["a", "could not base64-decode"],
    ["eyJvZmZzZXQiOiA1fQ", "could not base64-decode"],
    ["!!!!", "decoded value=b''"],
    ["eA==", "decoded value=b'x'"],
    ["/wAKJyI=", `decoded value=b'\\xff\\x00\\n\\'"'`],
    [btoa("it's"), `decoded value=b"it's"`],
    [btoa('{"offset": "a"}'), "not stringable a"],
    [btoa('{"offset": "1.5"}'), "not stringable 1.5"],
    [btoa("{}"), "parsed value={}"],
    [btoa('{"offset": 0}'), "parsed value={'offset': 0}"],
    [
      btoa('{"a": "b\'c", "d": [1, null, true, 1.5]}'),
      `parsed value={'a': "b'c", 'd': [1, None, True, 1.5]}`,
    ],
  ] as const)("%s is refused: %s", ([token, said]) => {
    expect(() => offsetOf(token)).toThrow(new SearchRefusal(`Invalid page token, ${said}`));
  });
});
