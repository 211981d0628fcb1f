import { type SQL, sql } from "drizzle-orm";
import type { Term } from "./order-by.ts";
import { attributeOf, numberOf, type Source } from "./source.ts";

/**
 * The `order by` of runs: rows without the key come last, before them those where a metric is NaN, whichever way; ties
 * are broken by the latest start, then by id.
 */
export function orderOfRuns(terms: readonly Term[], source: Source): SQL {
  const isByStart = terms.some(
    ({ subject }) => subject.entity === "attribute" && subject.attribute.name === "start_time",
  );
  return sql.join(
    [
      ...terms.map((term) => sql`${sorting(term, source)} nulls last`),
      ...(isByStart ? [] : [sql`${attributeOf(source, "start_time")} desc`]),
      sql`${attributeOf(source, "run_id")}`,
    ],
    sql`, `,
  );
}

function sorting({ subject, descending }: Term, source: Source): SQL {
  const direction = sql.raw(descending ? "desc" : "asc");
  switch (subject.entity) {
    case "attribute":
      return sql`${attributeOf(source, subject.attribute.name)} ${direction}`;
    case "metric": {
      const beyondAll = sql.raw(descending ? "-9e999" : "9e999");
      return sql`(select ${numberOf(beyondAll)} from (select ${source.keyed("metric", subject.key)} as v)) ${direction}`;
    }
    case "dataset":
      throw new Error("nothing is sorted by data sets");
    default:
      return sql`${source.keyed(subject.entity, subject.key)} ${direction}`;
  }
}
