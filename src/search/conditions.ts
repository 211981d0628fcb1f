import { type SQL, sql } from "drizzle-orm";
import type { Clause } from "./filter.ts";
import { like } from "./like.ts";
import { attributeOf, type Source } from "./source.ts";

/**
 * The condition that a row fits all clauses. As in MLflow a row without the key fits no comparison, not even `!=`; text
 * is compared letter by letter, and a metric that is NaN fits `!=` only.
 * @param clauses that passed `checkComparators`
 */
export function conditionOf(clauses: readonly Clause[], source: Source): SQL {
  return sql.join([sql`true`, ...clauses.map((clause) => conditionOn(clause, source))], sql` and `);
}

function conditionOn({ subject, comparator, value }: Clause, source: Source): SQL {
  const test = (given: SQL) => compared(given, comparator, value);
  switch (subject.entity) {
    case "attribute":
      return test(attributeOf(source, subject.attribute.name));
    case "dataset":
      return source.dataset(subject.key, test);
    case "metric":
      return test(source.metric(subject.key, comparator === "!=" ? otherThan(value) : sql`null`));
    default:
      return test(source.keyed(subject.entity, subject.key));
  }
}

/** Whether a value that is given fits a comparison. */
export function compared(given: SQL, comparator: string, value: Clause["value"]): SQL {
  switch (comparator) {
    case "IS NULL":
    case "IS NOT NULL":
      return sql`${given} ${sql.raw(comparator)}`;
    case "IN":
    case "NOT IN":
      return sql`${given} ${sql.raw(comparator)} (select value from json_each(${JSON.stringify(value)}))`;
    case "LIKE":
    case "ILIKE":
      return like(given, String(value), comparator === "ILIKE");
    case "=":
    case "!=":
    case ">":
    case ">=":
    case "<":
    case "<=":
      return sql`${given} ${sql.raw(comparator)} ${typeof value === "number" ? numeral(value) : value}`;
    default:
      throw new Error(`no comparator ${comparator}`);
  }
}

/** An infinity, of which there is none among stored values, that is not this value. */
function otherThan(value: Clause["value"]): SQL {
  return numeral(value === Number.POSITIVE_INFINITY ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY);
}

/** D1 takes no infinity as a parameter. */
function numeral(value: number): SQL {
  if (Number.isFinite(value)) return sql`${value}`;
  return sql.raw(value > 0 ? "9e999" : "-9e999");
}
