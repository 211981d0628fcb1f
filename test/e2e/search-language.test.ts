import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkComparators } from "../../src/search/comparators.ts";
import { parseFilter } from "../../src/search/filter.ts";
import { parseOrderBy } from "../../src/search/order-by.ts";
import { SearchRefusal } from "../../src/search/refusal.ts";
import { type Judge, mlflowJudge, type Question, type Verdict } from "../lib/mlflow-judge.ts";
import { filters, orders } from "../lib/search-words.ts";

const SEARCHES = 5_000;
const LEAST_TAKEN = SEARCHES / 20;

let judge: Judge;
beforeAll(async () => {
  judge = await mlflowJudge();
});
afterAll(() => judge?.stop());

/** What the relay makes of a search. */
function relays({ filter, order_by }: Question): Verdict {
  try {
    const clauses = parseFilter(filter);
    const terms = parseOrderBy(order_by);
    checkComparators(clauses);
    return {
      clauses: clauses.map(({ subject, comparator, value }) => [
        subject.entity,
        subject.key,
        comparator,
        value,
      ]),
      order: terms.map(({ subject, descending }) => [subject.entity, subject.key, !descending]),
    };
  } catch (error) {
    if (!(error instanceof SearchRefusal)) throw error;
    return { refusal: error.message, code: "INVALID_PARAMETER_VALUE" };
  }
}

/** The same for both: MLflow keeps a metric's number as text. */
function meaning(verdict: Verdict): unknown {
  if ("refusal" in verdict) return "refused";
  return {
    order: verdict.order,
    clauses: verdict.clauses.map(([entity, key, comparator, value]) => [
      entity,
      key,
      comparator,
      entity === "metric" || typeof value === "number" || value === "Infinity" ? Number(value) : value,
    ]),
  };
}

/**
 * Without AND before `key IS NULL` MLflow takes what stands before it for a part of the key; the relay refuses that.
 * A key with a space that is meant stands in quotes.
 */
function isAccident({ filter }: Question, verdict: Verdict): boolean {
  if (!("clauses" in verdict)) return false;
  const isQuoted = (key: string) =>
    ["`", '"'].some((quote) => !key.includes(quote) && filter.includes(`${quote}${key}${quote}`));
  return verdict.clauses.some(
    ([, key, comparator]) => comparator.startsWith("IS ") && /\s/.test(key) && !isQuoted(key),
  );
}

const search: fc.Arbitrary<Question> = fc.record({
  filter: filters,
  order_by: fc.oneof({ weight: 2, arbitrary: orders.map(() => []) }, { weight: 1, arbitrary: orders }),
});

test("the relay takes the searches that MLflow takes, and means the same by them", async () => {
  const searches = fc.sample(search, SEARCHES);
  const verdicts = await judge.ask(searches);
  const differences = searches.flatMap((asked, i) => {
    const theirs = verdicts[i];
    if (!theirs || isAccident(asked, theirs)) return [];
    const ours = relays(asked);
    const isSame = JSON.stringify(meaning(ours)) === JSON.stringify(meaning(theirs));
    return isSame ? [] : [{ asked, ours, theirs }];
  });
  expect(differences).toEqual([]);
  expect(verdicts.filter((verdict) => "clauses" in verdict).length).toBeGreaterThan(LEAST_TAKEN);
});

/** MLflow prints sets in another order with each start. */
const words = (message: string) =>
  message
    .split(/[\s{}']+|(?<=,)/)
    .map((word) => word.replace(",", ""))
    .toSorted();

const runs = (filter: string, ...order_by: string[]): Question => ({ filter, order_by });

test.for([
  runs("metrics.a = 1 OR metrics.b = 2"),
  runs("metrics.a"),
  runs("metrics.a ="),
  runs("(metrics.a = 1)"),
  runs("metrics.val-loss < 1"),
  runs("metrics.a = 'x'"),
  runs("metrics.a LIKE 1"),
  runs("metrics.a IS NULL"),
  runs("params.a = 1"),
  runs("params.a = x"),
  runs("params.a IN ('x')"),
  runs("params.a > 'x'"),
  runs("tags.a > 'x'"),
  runs("Metrics.a = 1"),
  runs("lifecycle_stage = 'active'"),
  runs("status IN ('FINISHED')"),
  runs("status > 'A'"),
  runs("run_id IN ()"),
  runs("run_id IN ('a' x)"),
  runs("start_time = 'x'"),
  runs("start_time LIKE 1"),
  runs("datasets.uri = 'x'"),
  runs("datasets.name = 1"),
  runs("datasets.name > 'x'"),
  runs("  "),
  runs("", ""),
  runs("", "metrics.a DSC"),
  runs("", "metrics.a DESC NULLS LAST"),
  runs("", "nothing.a"),
  runs("", "datasets.name"),
  runs("", "name"),
])("%o is refused with MLflow's words", async (asked) => {
  const [theirs] = await judge.ask([asked]);
  const ours = relays(asked);
  if (!theirs || !("refusal" in theirs) || !("refusal" in ours)) throw new Error("it was taken");
  expect(ours.code).toBe(theirs.code);
  expect(words(ours.refusal)).toEqual(words(theirs.refusal));
});
