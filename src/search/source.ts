import { type SQL, sql } from "drizzle-orm";

/** What has texts by keys, to be looked up in each row. */
export type Keyed = "parameter" | "tag";

/**
 * Where what is searched is found, as SQL about the row that is looked at. Keys are bound by the source, never part of
 * the SQL.
 */
export type Source = {
  /** By the attributes' own names. */
  attributes: Readonly<Record<string, SQL>>;
  /** The text of a key, null where the row has none. */
  keyed(kind: Keyed, key: string): SQL;
  /** A metric's latest value by `numberOf`, null where the row has none. */
  metric(key: string, ifNaN: SQL): SQL;
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

/** A stored value of a metric, which has NaN and infinities as text, as a number. @param value is used several times */
export function numberOf(value: SQL, ifNaN: SQL): SQL {
  return sql`case ${value} when 'NaN' then ${ifNaN} when 'Infinity' then ${GREATEST} when '-Infinity' then -${GREATEST} else ${value} end`;
}
