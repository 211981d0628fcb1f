import type { RunnableQuery } from "drizzle-orm/runnable-query";

/** The database's clock in epoch milliseconds: leases are compared by one clock, whoever asks. */
export const NOW_MS = "cast(unixepoch('subsec') * 1000 as integer)";

/** Nothing is put off or held for so long: no setting allows more than an hour. What is was written by a clock that was ahead. */
export const TOO_LATE = `${NOW_MS} + ${2 * 3_600_000}`;

/** D1 takes a parameter of 2 MB; about 1 MB of JSON keeps a statement fast. */
const CHUNK_BYTES = 900_000;

const encoder = new TextEncoder();

/** Rows as JSON texts, each small enough for one statement over `json_each`. */
export function jsonChunks(rows: readonly unknown[]): string[] {
  const chunks: string[] = [];
  let parts: string[] = [];
  let size = 0;
  for (const row of rows) {
    const text = JSON.stringify(row);
    const bytes = encoder.encode(text).length;
    if (size + bytes > CHUNK_BYTES && parts.length > 0) {
      chunks.push(`[${parts.join(",")}]`);
      parts = [];
      size = 0;
    }
    parts.push(text);
    size += bytes + 1;
  }
  if (parts.length > 0) chunks.push(`[${parts.join(",")}]`);
  return chunks;
}

/** A statement for each chunk of rows; `?1` is the JSON. */
export function overRows(
  db: D1Database,
  query: string,
  rows: readonly unknown[],
  ...more: unknown[]
): D1PreparedStatement[] {
  const statement = db.prepare(query);
  return jsonChunks(rows).map((chunk) => statement.bind(chunk, ...more));
}

/**
 * A statement by hand as a part of one of drizzle's batches, whose own raw queries lose their parameters there. `T`: its
 * rows.
 */
export class Bound<T = unknown> implements RunnableQuery<D1Result<T>, "sqlite"> {
  declare readonly _: { dialect: "sqlite"; result: D1Result<T> };
  readonly #db: D1Database;
  readonly #query: { sql: string; params: unknown[] };

  /** @param values by number in the text, from ?1 on; there is one at least */
  constructor(db: D1Database, sql: string, ...values: unknown[]) {
    this.#db = db;
    this.#query = { sql, params: values };
  }

  /** What drizzle asks of a part. */
  _prepare() {
    const query = this.#query;
    return {
      stmt: this.#db.prepare(query.sql),
      getQuery: () => query,
      mapResult: (result: D1Result<T>) => result,
    };
  }
}

/** The same as `overRows` in that way. */
export function boundRows(
  db: D1Database,
  query: string,
  rows: readonly unknown[],
  ...more: unknown[]
): Bound[] {
  return jsonChunks(rows).map((chunk) => new Bound(db, query, chunk, ...more));
}

/**
 * The condition that the lease is held, for SQL text.
 * @param stream the number under which the stream's id is bound, `token` that of the lease's token
 */
export function heldBy(stream: number, token: number): string {
  return `exists (select 1 from streams where id = ?${stream} and lease_token = ?${token})`;
}
