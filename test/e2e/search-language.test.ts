import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SearchRefusal } from "../../src/search/refusal.ts";
import { experimentSearch, runSearch } from "../../src/search/search.ts";
import { type Judge, mlflowJudge, type Question, type Verdict } from "../lib/mlflow-judge.ts";
import { words } from "../lib/search-words.ts";

const SEARCHES = 5_000;
const LEAST_TAKEN = SEARCHES / 20;

let judge: Judge;
beforeAll(async () => {
  judge = await mlflowJudge();
});
afterAll(() => judge?.stop());

/** What the relay makes of a search. */
function relays({ of, filter, order_by }: Question): Verdict {
  try {
    const { clauses, terms } =
      of === "runs" ? runSearch(filter, order_by) : experimentSearch(filter, order_by);
    return {
      clauses: clauses.map(({ subject, comparator, value }) => [
        subject.entity,
        subject.key,
        comparator,
        value,
      ]),
      order:
        order_by.length > 0
          ? terms.map(({ subject, descending }) => [subject.entity, subject.key, !descending])
          : [],
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

const searchOf = (of: Question["of"]): fc.Arbitrary<Question> =>
  fc.record({
    of: fc.constant(of),
    filter: words[of].filters,
    order_by: fc.oneof(
      { weight: 2, arbitrary: fc.constant<string[]>([]) },
      { weight: 1, arbitrary: words[of].orders },
    ),
  });

test.for(["runs", "experiments"] as const)(
  "the relay takes the searches of %s that MLflow takes, and means the same by them",
  async (of) => {
    const searches = fc.sample(searchOf(of), SEARCHES);
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
  },
);

const runs = (filter: string, ...order_by: string[]): Question => ({ of: "runs", filter, order_by });
const experiments = (filter: string, ...order_by: string[]): Question => ({
  of: "experiments",
  filter,
  order_by,
});

test.for([
  runs("", 'params."a "  asc'),
  runs("", "tags.`a \t` DESC"),
  runs("", 'metrics." a\u00a0" desc'),
  runs("", 'params."a "'),
  runs("", "tags.a\fb"),
  runs("", 'params."a\u3000b" asc'),
  runs("", "metrics.a \vdesc"),
  runs("dataset.name IN ('a',\v'b')"),
  runs("dataset.name IN (\f'a' ,\t'b' )"),
  experiments("", "name \vasc"),
  experiments("", "name\tasc"),
])("the spaces of %o are those of MLflow", async (asked) => {
  const [theirs] = await judge.ask([asked]);
  expect(meaning(relays(asked))).toEqual(theirs && meaning(theirs));
});

/** MLflow prints sets in another order with each start. */
const wordsOf = (message: string) =>
  message
    .split(/[\s{}']+|(?<=,)/)
    .map((word) => word.replace(",", ""))
    .toSorted();

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
  experiments("name = 'a' OR name = 'b'"),
  experiments("metrics.a = 1"),
  experiments("attributes.name = 'a'"),
  experiments("status = 'RUNNING'"),
  experiments("name IS NULL"),
  experiments("name IN ('a')"),
  experiments("name > 'a'"),
  experiments("name like 'a'"),
  experiments("name = 1"),
  experiments("tags.a > 'x'"),
  experiments("tags.a ilike 'x'"),
  experiments("tags.a = 1"),
  experiments("experiment_id LIKE '1'"),
  experiments("experiment_id in ('1')"),
  experiments("experiment_id = 'x'"),
  experiments("experiment_id IN ('1', 'x')"),
  experiments("creation_time = 'x'"),
  experiments("creation_time LIKE 1"),
  experiments("creation_time > 1.5"),
  experiments("creation_time > 1e5"),
  experiments("creation_time > 1E-5"),
  experiments("creation_time > 1e300"),
  experiments("creation_time > 1e400"),
  experiments("name > 'a' AND creation_time > 1.5", "tags.a"),
  experiments("", "tags.a"),
  experiments("", "status"),
  experiments("", "attributes.name"),
  experiments("", "name DSC"),
])("%o is refused with MLflow's words", async (asked) => {
  const [theirs] = await judge.ask([asked]);
  const ours = relays(asked);
  if (!theirs || !("refusal" in theirs) || !("refusal" in ours)) throw new Error("it was taken");
  expect(ours.code).toBe(theirs.code);
  expect(wordsOf(ours.refusal)).toEqual(wordsOf(theirs.refusal));
});
