import { and, eq, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import type { TrialStatus } from "../../domain/types.ts";
import type { WireNumber } from "../../domain/values.ts";
import { behind, comparable, type Order, orderTerms, type Position } from "../listing/order.ts";
import { metricSummaries, modelRuns, streams, trials } from "../schema/index.ts";
import { changedAt } from "./trial-rows.ts";

/** In which order trials are listed, and the parts of a list that are in that order each, so that little of them is read. */

export const SORT_COLUMNS = [
  "created_at",
  "updated_at",
  "started_at",
  "ended_at",
  "duration_ms",
  "rank",
  "trial_id",
  "status",
] as const;

/** What a list is sorted by: a column, or the last value of a metric. */
export type TrialSort = { descending: boolean } & (
  | { column: (typeof SORT_COLUMNS)[number] }
  | { metric: string }
);

/** No metric has this key: a join on it costs nothing and gives no rows. */
const NO_METRIC = "";

const SORTED_BY: Record<(typeof SORT_COLUMNS)[number], Pick<Order, "by" | "nullable">> = {
  // Ids are given in the order of creation.
  created_at: { by: trials.id, nullable: false },
  updated_at: { by: trials.updatedAt, nullable: false },
  started_at: { by: trials.startedAt, nullable: true },
  ended_at: { by: trials.endedAt, nullable: true },
  duration_ms: { by: trials.durationMs, nullable: true },
  rank: { by: trials.rank, nullable: true },
  trial_id: { by: trials.trialId, nullable: false },
  status: { by: trials.status, nullable: false },
};

/** @param id the trial's number, in the table whose index is to be walked */
function orderOf(sort: TrialSort, id: SQLiteColumn = trials.id): Order {
  const { descending } = sort;
  if (isById(sort)) return { by: id, id, descending, nullable: false };
  if ("column" in sort) return { ...SORTED_BY[sort.column], id, descending };
  const by = comparable(sql`${metricSummaries.last}`);
  return { by, id, descending, nullable: true, bind: (value) => comparable(sql`${value}`) };
}

export type Place = { id: number; value: WireNumber | null };

/** Some of the trials that are listed; by what they are sorted, where that is told otherwise of them. */
export type Part = {
  which?: SQL | undefined;
  by?: SQL;
  /** Whether all of them have a value, or none; each may be so, unless it is told. */
  valued?: "all" | "none";
};

/** The few warm ones, by their own index and no other. */
const WARM = sql.raw("trials.id in (select id from trials where warm = 1)");

/**
 * The warm ones, and of the others, which are in an index by the column, status by status, those that have a value, then
 * those without.
 * @param statuses those that are listed
 */
export function partsOf(
  sort: TrialSort,
  after: Position | null,
  statuses: readonly TrialStatus[],
): readonly Part[] {
  const cold = statuses.map(coldOf);
  if (isByChange(sort)) return [{ which: WARM, by: changedAt }, ...cold.map((which) => ({ which }))];
  const order = "column" in sort ? SORTED_BY[sort.column] : null;
  if (!order?.nullable) return [{}];
  const valued = cold.map(
    (which): Part => ({ which: sql`${which} and ${order.by} is not null`, valued: "all" }),
  );
  const others = cold.map(
    (which): Part => ({ which: sql`${which} and ${order.by} is null`, valued: "none" }),
  );
  return [{ which: WARM }, ...(after !== null && after.value === null ? [] : valued), ...others];
}

/** All as one part, to be sorted: for what is few and found in another way. */
export function asOnePart(sort: TrialSort): readonly Part[] {
  return [isByChange(sort) ? { by: changedAt } : {}];
}

const coldOf = (status: TrialStatus) => sql.raw(`trials.warm = 0 and trials.status = '${status}'`);

/** The first of several parts that have no trial in common, all of one moment. */
export async function placesAmong(
  db: D1Database,
  chosen: (SQL | undefined)[],
  parts: readonly Part[],
  sort: TrialSort,
  after: Position | null,
  limit: number,
  id?: SQLiteColumn,
): Promise<Place[]> {
  const order = orderOf(sort, id);
  const [first, ...others] = parts.map((part) => partOf(db, chosen, part, sort, order, after, limit));
  if (!first) return [];
  const found = await drizzle(db).batch([first, ...others]);
  const isMetric = "metric" in sort;
  const listed = found.flatMap((rows, part) =>
    rows.map(({ id: trial, value }) => {
      const isNull = parts[part]?.valued === "none" || (isMetric && value === "NaN");
      return { id: trial, value: isNull ? null : value };
    }),
  );
  return others.length === 0 ? listed : listed.sort(inOrder(sort)).slice(0, limit);
}

/** By id, or by a column that is a number; those without one come last. */
function inOrder({ descending }: TrialSort): (a: Place, b: Place) => number {
  const way = descending ? -1 : 1;
  return (a, b) => {
    const nulls = Number(a.value === null) - Number(b.value === null);
    return nulls || way * (Number(a.value) - Number(b.value) || a.id - b.id);
  };
}

function partOf(
  db: D1Database,
  chosen: (SQL | undefined)[],
  { which, by, valued }: Part,
  sort: TrialSort,
  order: Order,
  after: Position | null,
  limit: number,
) {
  const own = { ...order, by: by ?? order.by, nullable: order.nullable && valued === undefined };
  if (valued !== "none") return places(db, [...chosen, which], sort, own, after, limit);
  // In order of their ids, behind all that have a value.
  const behindIt = after?.value === null ? { value: after.id, id: after.id } : null;
  return places(db, [...chosen, which], sort, { ...own, by: order.id }, behindIt, limit);
}

/**
 * Only what sort and filters ask for is read here: SQLite leaves out an outer join of one row that nothing refers to,
 * and a narrow row sorts fast.
 */
function places(
  db: D1Database,
  chosen: (SQL | undefined)[],
  sort: TrialSort,
  order: Order,
  after: Position | null,
  limit: number,
) {
  const isMetric = "metric" in sort;
  // The stored form: an infinity would not survive the way out of the database.
  const value = sql<WireNumber | null>`${isMetric ? metricSummaries.last : order.by}`;
  return drizzle(db)
    .select({ id: trials.id, value: value.as("sort_value") })
    .from(trials)
    .leftJoin(streams, eq(streams.id, trials.id))
    .leftJoin(modelRuns, eq(modelRuns.modelRunId, trials.modelRunId))
    .leftJoin(
      metricSummaries,
      and(
        eq(metricSummaries.streamId, trials.id),
        eq(metricSummaries.key, isMetric ? sort.metric : NO_METRIC),
      ),
    )
    .where(and(...chosen, behind(order, after)))
    .orderBy(orderTerms(order))
    .limit(limit);
}

export function isById(sort: TrialSort): boolean {
  return "column" in sort && sort.column === "created_at";
}

function isByChange(sort: TrialSort): boolean {
  return "column" in sort && sort.column === "updated_at";
}
