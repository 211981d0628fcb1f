import { type SQL, sql } from "drizzle-orm";
import { MODEL_RUN_TAG, PARENT_TAG, RUN_NAME_TAG, TRIAL_TAG } from "../../mlflow/tags.ts";
import { type Keyed, numberOf, type Source } from "../../search/source.ts";
import { pulledDatasets, pulledPoint, pulledText } from "../mirror/pulled-value.ts";
import { saidDatasets } from "./inputs.ts";
import { FIRST_ID } from "./search-scope.ts";

/** Where a search finds what it compares and sorts by, in a row `r`. */
export const rowSource: Source = {
  attributes: Object.fromEntries(
    ["run_id", "run_name", "user_id", "status", "artifact_uri", "start_time", "end_time"].map((name) => [
      name,
      sql.raw(`r.${name}`),
    ]),
  ),
  keyed: (kind, key) => sql`(select ${OF[kind](key)} from (select ${key} as k))`,
  metric: (key, ifNaN) => sql`(select ${latest(key, ifNaN)} from (select ${key} as k))`,
  dataset: (field, test) => sql`exists (select 1 from (
    ${saidDatasets(sql`r.stream_id`, field)}
    union all ${pulledDatasets(sql`(select m.data from mlflow_runs m where m.rowid = ${PULLED_ROW})`, field)})
    where ${test(sql`value`)})`,
};

/** Of the key `k`: what the run's stream says of it, and what was pulled. */
const OF: Record<Keyed, (key: string) => SQL> = {
  parameter: (key) => sql`iif(r.stream_id is null, ${pulled(pulledText(DATA, "parameter", key))},
    (select value from params where stream_id = r.stream_id and key = k))`,
  tag: (key) => {
    const text = pulledText(DATA, "tag", key);
    return sql`coalesce(
      (select value from tags where stream_id = r.stream_id and key = k and removed_at is null),
      iif(r.is_event_api, ${sql.raw(SYSTEM_TAGS.get(key) ?? "null")}, null),
      iif(r.stream_id is null or r.is_event_api, ${pulled(key === PARENT_TAG ? firstIdOf(text) : text)}, null))`;
  },
};

/** Of the two the later, by MLflow's rule. */
function latest(key: string, ifNaN: SQL): SQL {
  const own = sql`o.last`;
  const seen = sql`p.value`;
  const zero = sql`0`;
  return sql`(
    select case when ${seen} is null then ${numberOf(own, ifNaN)}
      when ${own} is null or (p.step, p.timestamp, ${numberOf(seen, zero)})
        > (coalesce(o.last_step, 9e18), o.last_timestamp, ${numberOf(own, zero)}) then ${numberOf(seen, ifNaN)}
      else ${numberOf(own, ifNaN)} end
    from (select 1) left join metric_summaries o on o.stream_id = r.stream_id and o.key = k
    left join (
      select m.rowid as id, ${pulledPoint(DATA, key, "value")} as value,
        cast(${pulledPoint(DATA, key, "step")} as integer) as step, ${pulledPoint(DATA, key, "timestamp")} as timestamp
      from mlflow_runs m) p on p.id = ${PULLED_ROW})`;
}

/** What delivery says of a trial or model run in tags, whether it was pulled again or not. */
const SYSTEM_TAGS = new Map([
  [RUN_NAME_TAG, "r.run_name"],
  [TRIAL_TAG, "r.trial_id"],
  [MODEL_RUN_TAG, "r.model_run_id"],
]);

const DATA = sql`m.data`;

/** The row of the mirror: by its own id where the run has no stream. */
const PULLED_ROW = sql`iif(r.stream_id is null,
  (select x.rowid from mlflow_runs x where x.mlflow_run_id = r.run_id),
  (select x.rowid from mlflow_runs x where x.stream_id = r.stream_id))`;

function pulled(value: SQL): SQL {
  return sql`(select ${value} from mlflow_runs m where m.rowid = ${PULLED_ROW})`;
}

/** MLflow's id of a run as the one that was given first. */
function firstIdOf(id: SQL): SQL {
  return sql`coalesce((
    select ${sql.raw(FIRST_ID)} from streams s left join gateway_runs g on g.stream_id = s.id
    where s.mlflow_run_id = ${id}), ${id})`;
}
