import { type SQL, sql } from "drizzle-orm";
import type { Keyed } from "../../search/source.ts";

/** Each kind's key in `MirroredData`. */
const KINDS: Record<Keyed, string> = { parameter: "params", tag: "tags", metric: "metrics" };

/**
 * What was pulled of a key: its text, or a part of its latest point. A path cannot hold every key, since a quote in it
 * would end it.
 * @param data the JSON of `MirroredData`
 * @param name the key in SQL, in which it is bound
 */
export function pulledValue(
  data: SQL,
  kind: Keyed,
  { key, name }: { key: string; name: SQL },
  part: "value" | "step" | "timestamp" = "value",
): SQL {
  const all = sql.raw(KINDS[kind]);
  const ofPoint = sql.raw(kind === "metric" ? `.${part}` : "");
  if (!/["\\]/.test(key)) return sql`json_extract(${data}, '$.${all}."' || ${name} || '"${ofPoint}')`;
  const value = sql.raw(kind === "metric" ? `value ->> '${part}'` : "value");
  return sql`(select ${value} from json_each(${data}, '$.${all}') where key = ${name})`;
}

/** Whether a data set that was pulled has a name, digest or context that passes a test. */
export function pulledDataset(data: SQL, field: string, test: (value: SQL) => SQL): SQL {
  const value =
    field === "context" ? `input.value ->> '$.tags."mlflow.data.context"'` : `input.value ->> '${field}'`;
  return sql`exists (select 1 from json_each(${data}, '$.inputs') input where ${test(sql.raw(value))})`;
}
