import { checkComparators, checkedExperimentClauses } from "./comparators.ts";
import { type Clause, parseFilter } from "./filter.ts";
import { EXPERIMENTS, RUNS } from "./languages.ts";
import { comparatorsOf, MODELS } from "./models-language.ts";
import { parseOrderBy, type Term } from "./order-by.ts";
import { SearchRefusal } from "./refusal.ts";

/** What is asked for in MLflow's language. */
export type Search = { clauses: readonly Clause[]; terms: readonly Term[] };

/**
 * A search of runs. Of several faults MLflow names the first that it comes to.
 * @throws SearchRefusal with its words
 */
export function runSearch(filter: string, orderBy: readonly string[]): Search {
  const clauses = parseFilter(filter, RUNS);
  const terms = parseOrderBy(orderBy, RUNS);
  checkComparators(clauses);
  return { clauses, terms };
}

const LATEST_FIRST = ["creation_time DESC", "experiment_id ASC"];

/**
 * The same of experiments; without an order of its own the latest come first.
 * @throws SearchRefusal
 */
export function experimentSearch(filter: string, orderBy: readonly string[]): Search {
  const clauses = checkedExperimentClauses(parseFilter(filter, EXPERIMENTS));
  const terms = parseOrderBy(orderBy.length > 0 ? orderBy : LATEST_FIRST, EXPERIMENTS);
  return { clauses, terms };
}

/**
 * The clauses of a search of logged models.
 * @throws SearchRefusal
 */
export function modelFilter(filter: string): readonly Clause[] {
  const clauses = parseFilter(filter, MODELS);
  for (const { subject, comparator } of clauses) {
    const isNumber =
      subject.entity === "metric" || (subject.entity === "attribute" && subject.attribute.type === "number");
    const taken = comparatorsOf(isNumber);
    if (!taken.includes(comparator))
      throw new SearchRefusal(
        `Invalid comparison operator for ${subject.key}: '${comparator}'. Expected one of ${taken.join(", ")}.`,
      );
  }
  return clauses;
}
