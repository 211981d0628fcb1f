import { type SQL, sql } from "drizzle-orm";
import { MLFLOW_STATUS } from "../../domain/run-register.ts";
import { isGhost } from "./ghosts.ts";
import { FIRST_ID, type Scope } from "./search-scope.ts";

/** The columns of the runs that are searched: those of MLflow's clients (`g`), and what the mirror has beside them (`m`). */

/** What an SQL text has of a search: its experiments, as `ours` and `theirs`. */
export function experimentsOf({ ours, theirs }: Scope): SQL {
  return sql`ours(id) as (select value ->> 'id' from json_each(${JSON.stringify(ours)})),
    theirs(id, first_id, deleted) as (
      select value ->> 'id', value ->> 'firstId', value ->> 'isDeleted' from json_each(${JSON.stringify(theirs)}))`;
}

const STATUSES = Object.entries(MLFLOW_STATUS)
  .map(([own, status]) => `when '${own}' then '${status}'`)
  .join(" ");

/** As in the index. */
const OUR_START = "case when g.start_time is null then g.created_at else g.start_time end";

export const OUR_COLUMNS = `
  g.stream_id, 0 as is_event_api, g.run_id, g.experiment_id, coalesce(g.run_name, g.run_id) as run_name,
  coalesce(g.user_id, '') as user_id, g.status, ${OUR_START} as start_time, g.end_time, g.artifact_uri, g.lifecycle,
  null as trial_id, null as model_run_id`;

/** @param index which index is to be used, where SQLite would take another */
export function ourRuns(index = ""): string {
  return `gateway_runs g ${index} where not ${isGhost("g")}`;
}

/** Where MLflow tells no start: a trial's or model run's own. */
export const START_OR_ITS_OWN = "coalesce(m.start_time, t.started_at, p.started_at, s.created_at, 0)";

/** @param start when such a run has started: as MLflow says, since it stays so there whatever is heard later */
export function theirColumns(start: string): string {
  return `
  s.id as stream_id, s.id is not null as is_event_api, iif(s.id is null, m.mlflow_run_id, ${FIRST_ID}) as run_id,
  theirs.first_id as experiment_id,
  iif(s.id is null, coalesce(m.run_name, ''), coalesce(t.run_name, p.run_name, s.trial_id, s.model_run_id)) as run_name,
  coalesce(m.user_id, iif(s.id is null, '', 'trial-relay')) as user_id,
  case coalesce(t.status, p.state) ${STATUSES} when 'initialized' then 'RUNNING' else m.status end as status,
  ${start} as start_time,
  iif(s.id is null, m.end_time, coalesce(t.ended_at, p.ended_at)) as end_time,
  coalesce(m.artifact_uri, 'mlflow-artifacts:/' || m.mlflow_experiment_id || '/' || m.mlflow_run_id || '/artifacts')
    as artifact_uri,
  iif(theirs.deleted, 'deleted', m.lifecycle_stage) as lifecycle, s.trial_id, s.model_run_id`;
}

export function theirRuns(index = ""): string {
  return `
  mlflow_runs m ${index}
  left join gateway_runs g on g.stream_id = m.stream_id left join streams s on s.id = m.stream_id
  left join trials t on t.id = s.id and s.kind = 'trial' left join model_runs p on p.id = s.id and s.kind = 'model_run'
  where g.stream_id is null and (s.id is not null or m.gone_at is null)`;
}
