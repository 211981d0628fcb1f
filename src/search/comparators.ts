import type { Clause } from "./filter.ts";
import { pythonSet, SearchRefusal } from "./refusal.ts";

const ORDERED = [">", ">=", "!=", "=", "<", "<="];
const MATCHED = ["!=", "=", "LIKE", "ILIKE"];
const LISTED = [...MATCHED, "IN", "NOT IN"];
const MAYBE_NULL = [...MATCHED, "IS NULL", "IS NOT NULL"];
const COMPARATORS = {
  metric: ORDERED,
  number: ORDERED,
  parameter: MAYBE_NULL,
  tag: MAYBE_NULL,
  text: LISTED,
  dataset: LISTED,
};

/** What MLflow says that there is, after its refusal: numbers are told of texts, and some quotes are left open. */
const SAID: Record<keyof typeof COMPARATORS, string> = {
  metric: `'${pythonSet(ORDERED)}`,
  number: `'${pythonSet(LISTED)}`,
  parameter: `'${pythonSet(MAYBE_NULL)}'`,
  tag: `'${pythonSet(MAYBE_NULL)}`,
  text: `'${pythonSet(LISTED)}'`,
  dataset: `'${pythonSet(LISTED)}`,
};

/**
 * MLflow looks at comparators when the filter is read and order_by too, so of several faults this is named last.
 * @throws SearchRefusal for a comparator that is not for what it compares
 */
export function checkComparators(clauses: readonly Clause[]): void {
  for (const { subject, comparator } of clauses) {
    const compared = subject.entity === "attribute" ? subject.attribute.type : subject.entity;
    if (COMPARATORS[compared].includes(comparator)) continue;
    throw new SearchRefusal(`Invalid comparator '${comparator}' not one of ${SAID[compared]}`);
  }
}
