import { checkComparators, checkedExperimentClauses } from "./comparators.ts";
import { type Clause, parseFilter } from "./filter.ts";
import { EXPERIMENTS, RUNS } from "./languages.ts";
import { parseOrderBy, type Term } from "./order-by.ts";

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
