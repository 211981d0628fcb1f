import { type SQL, sql } from "drizzle-orm";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import type { WireNumber } from "../../domain/values.ts";

/** A place in a sorted list: the sort value of a row, and its id where several share one. */
export type Position = { value: WireNumber | null; id: WireNumber };

/** How a list is sorted: rows without a value come last, whichever way; ties are broken by id. */
export type Order = {
  by: SQL | SQLiteColumn;
  id: SQL | SQLiteColumn;
  descending: boolean;
  nullable: boolean;
  /** How `by` reads a value that a cursor brings back. */
  bind?: (value: WireNumber) => SQL;
};

/** The `order by` terms. */
export function orderTerms({ by, id, descending }: Order): SQL {
  const direction = sql.raw(descending ? "desc" : "asc");
  return sql`${by} ${direction} nulls last, ${id} ${direction}`;
}

/** The condition for the rows behind a position. Rows that come or go elsewhere do not move it. */
export function behind(order: Order, position: Position | null): SQL | undefined {
  if (position === null) return undefined;
  const { by, id, nullable, bind = (value) => sql`${value}` } = order;
  const beyond = sql.raw(order.descending ? "<" : ">");
  if (position.value === null) return sql`(${by} is null and ${id} ${beyond} ${position.id})`;
  const further = sql`(${by}, ${id}) ${beyond} (${bind(position.value)}, ${position.id})`;
  return nullable ? sql`(${further} or ${by} is null)` : further;
}

/** How many rows stand before a place in a list whose positions count rows; the database counts no further than int64. */
export function rowsBefore(position: Position | null): number {
  const rows = Math.trunc(Number(position?.id ?? 0)) || 0;
  return Math.min(Math.max(0, rows), Number.MAX_SAFE_INTEGER);
}

/** A stored metric value as a number that sorts; NaN has no place among numbers. SQLite reads 9e999 as infinity. */
export function comparable(value: SQL): SQL {
  return sql`case ${value} when 'NaN' then null when 'Infinity' then 9e999 when '-Infinity' then -9e999 else ${value} end`;
}
