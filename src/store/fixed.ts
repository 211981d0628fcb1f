import { type SQL, type SQLWrapper, sql } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import type { RunnableQuery } from "drizzle-orm/runnable-query";
import { SQLiteAsyncDialect } from "drizzle-orm/sqlite-core";

/** A query of drizzle's builders. */
type Query<Rows> = PromiseLike<Rows> & SQLWrapper & { prepare(): Reader };

/** What reads the rows of an answer. */
type Reader = { mapResult(result: unknown, isFromBatch: boolean): unknown };

/** The place of a value in a query, by the value's name. */
export type At<Names extends string> = (name: Names) => SQL;

type Values<Names extends string> = Record<Names, string | number | null>;

type Built<Names extends string> = { text: string; names: readonly Names[]; reader: Reader };

/** A fixed query with its values, as a part of one of drizzle's batches. */
export class Filled<Rows> implements RunnableQuery<Rows, "sqlite"> {
  declare readonly _: { dialect: "sqlite"; result: Rows };
  readonly #db: D1Database;
  readonly #query: { sql: string; params: unknown[] };
  readonly #reader: Reader;

  constructor(db: D1Database, query: { sql: string; params: unknown[] }, reader: Reader) {
    this.#db = db;
    this.#query = query;
    this.#reader = reader;
  }

  /** What drizzle asks of a part. */
  _prepare() {
    const query = this.#query;
    return {
      stmt: this.#db.prepare(query.sql),
      getQuery: () => query,
      mapResult: (result: unknown) => this.#reader.mapResult(result, true),
    };
  }
}

/**
 * A query of drizzle's whose text is always the same: drizzle takes longer to build one than the database to answer it,
 * so what every turn asks is built once. Each value is bound once, by its number, and what is always the same is text: a
 * limit that is bound has the database prepare the statement anew each time it is used.
 */
export function fixed<Names extends string, Rows>(
  build: (orm: DrizzleD1Database, at: At<Names>) => Query<Rows>,
): (db: D1Database, values: Values<Names>) => Filled<Rows> {
  let built: Built<Names> | undefined;
  return (db, values) => {
    built ??= builtOf(build, drizzle(db));
    const { text, names, reader } = built;
    return new Filled<Rows>(db, { sql: text, params: names.map((name) => values[name]) }, reader);
  };
}

/**
 * The same for queries that differ by their shape, such as which columns they set: one is built for each, of which there
 * are few, and kept under its words.
 */
export function fixedEach<Shape, Names extends string, Rows>(
  build: (shape: Shape, orm: DrizzleD1Database, at: At<Names>) => Query<Rows>,
): (db: D1Database, shape: Shape, values: Values<Names>) => Filled<Rows> {
  const made = new Map<string, (db: D1Database, values: Values<Names>) => Filled<Rows>>();
  return (db, shape, values) => {
    const words = JSON.stringify(shape);
    const one = made.get(words) ?? fixed((orm, at: At<Names>) => build(shape, orm, at));
    made.set(words, one);
    return one(db, values);
  };
}

function builtOf<Names extends string>(
  build: (orm: DrizzleD1Database, at: At<Names>) => Query<unknown>,
  orm: DrizzleD1Database,
): Built<Names> {
  const names: Names[] = [];
  const query = build(orm, (name) => {
    if (!names.includes(name)) names.push(name);
    return sql.raw(`?${names.indexOf(name) + 1}`);
  });
  const { sql: text } = new SQLiteAsyncDialect().sqlToQuery(query.getSQL().inlineParams());
  return { text, names, reader: query.prepare() };
}
