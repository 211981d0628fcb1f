import { type SQL, sql } from "drizzle-orm";

/** What has keys of its own, to be looked up in each row. */
export type Keyed = "metric" | "parameter" | "tag";

/**
 * Where what is searched is found, as SQL about the row that is looked at. Keys are bound by the source, never part of
 * the SQL.
 */
export type Source = {
  /** By the attributes' own names. */
  attributes: Readonly<Record<string, SQL>>;
  /** The value of a key as an expression, null where the row has none; a metric's latest as a number, NaN and infinities as text. */
  keyed(kind: Keyed, key: string): SQL;
  /** Whether some data set of the row has a name, digest or context that passes the test. */
  dataset(field: string, test: (value: SQL) => SQL): SQL;
};

/** @throws Error for an attribute that the source does not describe */
export function attributeOf(source: Source, name: string): SQL {
  const expression = source.attributes[name];
  if (!expression) throw new Error(`the source has no attribute ${name}`);
  return expression;
}

/** What MLflow's databases keep of an infinity. */
const GREATEST = sql.raw("1.7976931348623157e308");

/** The metric `v` as a number; NaN is none unless told. */
export function numberOf(ifNaN = sql`null`): SQL {
  return sql`case v when 'NaN' then ${ifNaN} when 'Infinity' then ${GREATEST} when '-Infinity' then -${GREATEST} else v end`;
}
