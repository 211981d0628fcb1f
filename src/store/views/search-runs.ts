import { type SQL, sql } from "drizzle-orm";
import { type Keyed, numberOf, type Source } from "../../search/source.ts";
import { saidDatasets } from "../gateway/inputs.ts";
import { pulledDatasets, pulledPoint, pulledText } from "../mirror/pulled-value.ts";
import { mlflowRuns } from "../schema/index.ts";

/** Where the trials and model runs have each of their own. */
const OWN: Record<Keyed, SQL> = {
  parameter: sql`select value from params where stream_id = ${mlflowRuns.streamId} and key = k`,
  tag: sql`select value from tags where stream_id = ${mlflowRuns.streamId} and key = k and removed_at is null`,
};

const DATA = sql`${mlflowRuns.data}`;

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
  keyed: (kind, key) =>
    sql`(select iif(${DATA} is null, (${OWN[kind]}), ${pulledText(DATA, kind, key)}) from (select ${key} as k))`,
  metric(key, ifNaN) {
    const own = sql`select ${numberOf(sql`last`, ifNaN)} from metric_summaries where stream_id = ${mlflowRuns.streamId} and key = k`;
    const pulled = numberOf(pulledPoint(DATA, key, "value"), ifNaN);
    return sql`(select iif(${DATA} is null, (${own}), ${pulled}) from (select ${key} as k))`;
  },
  dataset: (field, test) => sql`exists (select 1 from (
    ${saidDatasets(sql`iif(${DATA} is null, ${mlflowRuns.streamId}, null)`, field)} union all ${pulledDatasets(DATA, field)})
    where ${test(sql`value`)})`,
};
