import { type SQL, sql } from "drizzle-orm";
import type { Term } from "./order-by.ts";
import { attributeOf, type Source } from "./source.ts";

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

/** The same of experiments, where nothing is put last and ties are broken by the greatest id. */
export function orderOfExperiments(terms: readonly Term[], source: Source): SQL {
  const id = sql`cast(${attributeOf(source, "experiment_id")} as integer)`;
  const isId = ({ subject }: Term) => subject.key === "experiment_id";
  return sql.join(
    [
      ...terms.map((term) => (isId(term) ? sql`${id} ${directionOf(term)}` : sorting(term, source))),
      ...(terms.some(isId) ? [] : [sql`${id} desc`]),
    ],
    sql`, `,
  );
}

function directionOf({ descending }: Term): SQL {
  return sql.raw(descending ? "desc" : "asc");
}

function sorting(term: Term, source: Source): SQL {
  const { subject, descending } = term;
  const direction = directionOf(term);
  switch (subject.entity) {
    case "attribute":
      return sql`${attributeOf(source, subject.attribute.name)} ${direction}`;
    case "metric": {
      const beyondAll = sql.raw(descending ? "-9e999" : "9e999");
      return sql`${source.metric(subject.key, beyondAll)} ${direction}`;
    }
    case "dataset":
      throw new Error("nothing is sorted by data sets");
    default:
      return sql`${source.keyed(subject.entity, subject.key)} ${direction}`;
  }
}
