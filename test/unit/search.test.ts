import { describe, expect, it } from "vitest";
import { parseFilter } from "../../src/search/filter.ts";
import { RUNS } from "../../src/search/languages.ts";
import { clausesOf } from "../../src/search/order-by.ts";
import { SearchRefusal } from "../../src/search/refusal.ts";
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

it("a filter of several statements is refused, whatever is in them", () => {
  const filters = ["a.b = 1; c = 2", "; metrics.a = 1", "metrics.a = 1;;"];
  for (const filter of filters)
    expect(() => parseFilter(filter, RUNS)).toThrow(
      `Search filter contained multiple expression '${filter}'. Provide AND-ed expression list.`,
    );
  expect(() => parseFilter("metrics.a = 1;", RUNS)).toThrow("Invalid clause(s) in filter string: ';'");
  expect(parseFilter("params.a = ';b'", RUNS)).toHaveLength(1);
});

it("order_by in one text is cut at its commas, but not within quotes", () => {
  expect(clausesOf("metrics.`a, b` DESC , start_time")).toEqual(["metrics.`a, b` DESC", "start_time"]);
});
