import { type SQL, sql } from "drizzle-orm";
import type { Keyed } from "../../search/source.ts";

/** Each kind's key in `MirroredData`. */
const KINDS: Record<Keyed, string> = { parameter: "params", tag: "tags" };

/**
 * What was pulled of the key `k`. A path cannot hold every key, since a quote in it would end it.
 * @param data the JSON of `MirroredData`
 * @param key what `k` holds
 */
export function pulledText(data: SQL, kind: Keyed, key: string): SQL {
  const all = sql.raw(KINDS[kind]);
  if (isPlain(key)) return sql`json_extract(${data}, '$.${all}."' || k || '"')`;
  return sql`(select value from json_each(${data}, '$.${all}') where key = k)`;
}

/** The same of a part of a metric's latest point. */
export function pulledPoint(data: SQL, key: string, part: "value" | "step" | "timestamp"): SQL {
  const name = sql.raw(part);
  if (isPlain(key)) return sql`json_extract(${data}, '$.metrics."' || k || '".${name}')`;
  return sql`(select value ->> '${name}' from json_each(${data}, '$.metrics') where key = k)`;
}

function isPlain(key: string): boolean {
  return !/["\\]/.test(key);
}

/** The name, digest or context of each data set that was pulled, in a column `value`. */
export function pulledDatasets(data: SQL, field: string): SQL {
  const value =
    field === "context" ? `input.value ->> '$.tags."mlflow.data.context"'` : `input.value ->> '${field}'`;
  return sql`select ${sql.raw(value)} as value from json_each(${data}, '$.inputs') input`;
}
