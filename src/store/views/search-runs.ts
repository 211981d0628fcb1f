import { type SQL, sql } from "drizzle-orm";
import type { Keyed, Source } from "../../search/source.ts";
import { mlflowRuns } from "../schema/index.ts";

/** Each kind's key in `MirroredData`, and where the trials and model runs have their own. */
const KINDS: Record<Keyed, { mirrored: string; own: SQL }> = {
  parameter: {
    mirrored: "params",
    own: sql`select value from params where stream_id = ${mlflowRuns.streamId} and key = k`,
  },
  tag: {
    mirrored: "tags",
    own: sql`select value from tags where stream_id = ${mlflowRuns.streamId} and key = k and removed_at is null`,
  },
  metric: {
    mirrored: "metrics",
    own: sql`select last from metric_summaries where stream_id = ${mlflowRuns.streamId} and key = k`,
  },
};

/**
 * Where a search finds MLflow's runs as the relay knows them: in what was pulled of them, and before they were pulled
 * in what their trial or model run has said.
 */
export const mirroredRuns: Source = {
  attributes: {
    run_id: sql`${mlflowRuns.mlflowRunId}`,
    run_name: sql`${mlflowRuns.runName}`,
    user_id: sql`${mlflowRuns.userId}`,
    status: sql`${mlflowRuns.status}`,
    artifact_uri: sql`${mlflowRuns.artifactUri}`,
    start_time: sql`${mlflowRuns.startTime}`,
    end_time: sql`${mlflowRuns.endTime}`,
  },
  keyed(kind, key) {
    const { mirrored, own } = KINDS[kind];
    return sql`(select iif(${mlflowRuns.data} is null, (${own}), ${pulled(kind, mirrored, key)})
      from (select ${key} as k))`;
  },
  dataset(field, test) {
    const of = sql`json_each(${mlflowRuns.data}, '$.inputs') input`;
    if (field !== "context")
      return sql`exists (select 1 from ${of} where ${test(sql`input.value ->> ${sql.raw(`'${field}'`)}`)})`;
    const context = sql`input.value ->> '$.tags."mlflow.data.context"'`;
    return sql`exists (select 1 from ${of} where ${test(context)})`;
  },
};

/** Of the key `k`. A path cannot hold every key: a quote in it would end it. */
function pulled(kind: Keyed, mirrored: string, key: string): SQL {
  const part = sql.raw(kind === "metric" ? ".value" : "");
  if (!/["\\]/.test(key))
    return sql`json_extract(${mlflowRuns.data}, '$.${sql.raw(mirrored)}."' || k || '"${part}')`;
  const value = sql.raw(kind === "metric" ? "value ->> 'value'" : "value");
  return sql`(select ${value} from json_each(${mlflowRuns.data}, '$.${sql.raw(mirrored)}') where key = k)`;
}
