import { fillPlaceholders, type Placeholder, sql } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import type { RunnableQuery } from "drizzle-orm/runnable-query";

/** What drizzle's builders make of a query: its text, its parameters with places in them, and what reads its rows. */
type Built = {
  getQuery(): { sql: string; params: unknown[] };
  mapResult(result: unknown, isFromBatch: boolean): unknown;
};

type Query<Rows> = PromiseLike<Rows> & { prepare(): Built };

/** The place of a value in a query, by the value's name. */
export type At<Names extends string> = (name: Names) => Placeholder<Names>;

/** A fixed query with its values, as a part of one of drizzle's batches. */
export class Filled<Rows> implements RunnableQuery<Rows, "sqlite"> {
  declare readonly _: { dialect: "sqlite"; result: Rows };
  readonly #db: D1Database;
  readonly #built: Built;
  readonly #values: Record<string, unknown>;

  constructor(db: D1Database, built: Built, values: Record<string, unknown>) {
    this.#db = db;
    this.#built = built;
    this.#values = values;
  }

  /** What drizzle asks of a part. */
  _prepare() {
    const built = this.#built;
    const { sql, params } = built.getQuery();
    const query = { sql, params: fillPlaceholders(params, this.#values) };
    return {
      stmt: this.#db.prepare(sql),
      getQuery: () => query,
      mapResult: (result: unknown) => built.mapResult(result, true),
    };
  }
}

/**
 * A query of drizzle's whose text is always the same: drizzle takes longer to build one than the database to answer it,
 * so what every turn asks is built once.
 */
export function fixed<Names extends string, Rows>(
  build: (orm: DrizzleD1Database, at: At<Names>) => Query<Rows>,
): (db: D1Database, values: Record<Names, string | number | null>) => Filled<Rows> {
  let built: Built | undefined;
  return (db, values) => {
    built ??= build(drizzle(db), (name) => sql.placeholder(name)).prepare();
    return new Filled<Rows>(db, built, values);
  };
}
