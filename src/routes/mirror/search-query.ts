import { invalid } from "../../domain/problems.ts";
import { checkComparators } from "../../search/comparators.ts";
import { parseFilter } from "../../search/filter.ts";
import { RUNS } from "../../search/languages.ts";
import { clausesOf, parseOrderBy } from "../../search/order-by.ts";
import { SearchRefusal } from "../../search/refusal.ts";
import type { RunSearch } from "../../store/views/runs.ts";
import { refusal } from "../door/query.ts";

/**
 * What is asked for by `filter` and `order_by`, in MLflow's language; null where neither is.
 * @throws HttpFailure invalid_request with MLflow's words
 */
export function readSearch(filter: string | undefined, orderBy: string | undefined): RunSearch | null {
  if (filter === undefined && orderBy === undefined) return null;
  const clauses = refused("filter", filter, () => parseFilter(filter ?? "", RUNS));
  const terms = refused("order_by", orderBy, () =>
    orderBy === undefined ? [] : parseOrderBy(clausesOf(orderBy), RUNS),
  );
  refused("filter", filter, () => checkComparators(clauses));
  return { clauses, terms };
}

function refused<T>(field: string, text: string | undefined, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof SearchRefusal)) throw error;
    throw refusal([invalid([field], `is not a search of MLflow's: ${error.message}`, text)]);
  }
}
