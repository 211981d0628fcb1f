import { type SQL, sql } from "drizzle-orm";
import { EXPERIMENTS } from "./experiments.ts";

/** Experiments in an order that the indexes have: no more is read than is shown, unless a filter leaves few. */

export type ExperimentOrder = "name" | "createdTime";

/** What comes behind every value, going up or down. */
const NONE: Record<ExperimentOrder, { up: string; down: string }> = {
  name: { up: "x''", down: "''" },
  createdTime: { up: "9e999", down: "-9e999" },
};

/**
 * A table `r` of the first experiments in such an order, and some behind them. Most of the relay's own are in the mirror as
 * well, where they are passed over: behind the last of its own that may be shown nothing is looked at there.
 * @param which the condition on a row `r`
 * @param order begins with the column, and tells which of those comes first that have the same there
 * @param most so many are shown at most
 */
export function walkedExperiments(
  { by, descending }: { by: ExperimentOrder; descending: boolean },
  which: SQL,
  order: SQL,
  most: number,
): SQL {
  const column = sql.raw(by);
  const direction = sql.raw(descending ? "desc" : "asc");
  const upTo = sql.raw(descending ? ">=" : "<=");
  const none = sql.raw(NONE[by][descending ? "down" : "up"]);
  const first = (rows: string, more: SQL) => sql`
    select * from (${sql.raw(rows)}) r where ${which} ${more} order by ${order} limit ${most}`;
  return sql`(
    with own as materialized (${first(EXPERIMENTS.ours, sql``)}),
    last(value) as materialized (select ${column} from own order by ${column} ${direction} limit 1 offset ${most - 1})
    select * from own
    union all
    select * from (${first(EXPERIMENTS.theirs, sql`and r.${column} ${upTo} coalesce((select value from last), ${none})`)})) r`;
}
