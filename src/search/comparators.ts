import type { Clause } from "./filter.ts";
import { pythonFloat, pythonSet, SearchRefusal } from "./refusal.ts";

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

const OF_TEXT = ["!=", "=", "LIKE", "ILIKE", "IN", "NOT IN"];
const OF_IDS = ["=", "!=", "IN", "NOT IN"];
const OF_TAGS = ["=", "!=", "LIKE", "ILIKE", "IS NULL", "IS NOT NULL"];
const OF_TIMES = ["=", "!=", "<", "<=", ">", ">="];

/**
 * The clauses of a search of experiments with their ids as MLflow writes them. It looks at comparators and at numbers when
 * the whole filter is read, and in lower case knows none.
 * @throws SearchRefusal
 */
export function checkedExperimentClauses(clauses: readonly Clause[]): Clause[] {
  return clauses.map((clause) => {
    const { subject, comparator, value, written } = clause;
    if (subject.entity === "tag") {
      if (!OF_TAGS.includes(comparator)) refuse(`Invalid comparator for tag: ${comparator}`);
    } else if (subject.key === "experiment_id") {
      if (!OF_IDS.includes(comparator)) refuse(`Invalid comparator for experiment_id: ${comparator}`);
      return { ...clause, value: Array.isArray(value) ? value.map(plainId) : plainId(String(value)) };
    } else if (typeof value === "number") {
      if (!OF_TIMES.includes(comparator)) refuseComparator(comparator, "");
      if (/[.e]/i.test(written))
        refuse(`Invalid value for numeric attribute '${subject.key}': '${pythonFloat(value)}'`);
    } else if (!OF_TEXT.includes(comparator)) refuseComparator(comparator, "'");
    return clause;
  });
}

/** Whole numbers as Python's `int` reads them. */
const WHOLE = /^\s*[+-]?\d+(_\d+)*\s*$/;

/** @throws SearchRefusal for what is no number */
function plainId(id: string): string {
  if (WHOLE.test(id)) return String(BigInt(id.replaceAll("_", "").trim().replace(/^\+/, "")));
  return refuse(`Invalid experiment ID '${id}'. Experiment ID must be a valid integer.`);
}

/** MLflow tells times of texts' comparators, and leaves their quote open. */
function refuseComparator(comparator: string, end: string): never {
  refuse(`Invalid comparator '${comparator}' not one of '${pythonSet(OF_TEXT)}${end}`);
}

function refuse(message: string): never {
  throw new SearchRefusal(message);
}
