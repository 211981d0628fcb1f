import { type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { RunHead } from "../../domain/client-run.ts";
import { MLFLOW_STATUS } from "../../domain/run-register.ts";
import type { LifecycleStage } from "../../domain/words.ts";
import { conditionOf } from "../../search/conditions.ts";
import type { Search } from "../../search/search.ts";
import { orderOfRuns } from "../../search/sorting.ts";
import { isGhost } from "./ghosts.ts";
import { FIRST_ID, type Scope, withFirstIds } from "./search-scope.ts";
import { rowSource } from "./search-source.ts";

/**
 * The runs of some experiments as one table `r`: those of MLflow's clients, and what the mirror has beside them. Of a trial or
 * model run of the event API the state is its own; `stream_id` is null where
 * only the mirror knows of a run.
 */
function rowsOf({ ours, theirs }: Scope): SQL {
  return sql`(
    with ours(id) as (select value ->> 'id' from json_each(${JSON.stringify(ours)})),
    theirs(id, first_id, deleted) as (
      select value ->> 'id', value ->> 'firstId', value ->> 'isDeleted' from json_each(${JSON.stringify(theirs)}))
    ${sql.raw(ROWS)})`;
}

const STATUSES = Object.entries(MLFLOW_STATUS)
  .map(([own, status]) => `when '${own}' then '${status}'`)
  .join(" ");

const ROWS = `
  select g.stream_id, 0 as is_event_api, g.run_id, g.experiment_id, coalesce(g.run_name, g.run_id) as run_name,
    coalesce(g.user_id, '') as user_id, g.status, coalesce(g.start_time, g.created_at) as start_time, g.end_time,
    g.artifact_uri, g.lifecycle, null as trial_id, null as model_run_id
  from ours cross join gateway_runs g on g.experiment_id = ours.id
  where not ${isGhost("g")}
  union all
  select s.id, s.id is not null, iif(s.id is null, m.mlflow_run_id, ${FIRST_ID}), theirs.first_id,
    iif(s.id is null, coalesce(m.run_name, ''), coalesce(t.run_name, p.run_name, s.trial_id, s.model_run_id)),
    coalesce(m.user_id, iif(s.id is null, '', 'trial-relay')),
    case coalesce(t.status, p.state) ${STATUSES} when 'initialized' then 'RUNNING' else m.status end,
    iif(s.id is null, coalesce(m.start_time, 0), coalesce(t.started_at, p.started_at, s.created_at)),
    iif(s.id is null, m.end_time, coalesce(t.ended_at, p.ended_at)),
    coalesce(m.artifact_uri, 'mlflow-artifacts:/' || m.mlflow_experiment_id || '/' || m.mlflow_run_id || '/artifacts'),
    iif(theirs.deleted, 'deleted', m.lifecycle_stage), s.trial_id, s.model_run_id
  from theirs cross join mlflow_runs m on m.mlflow_experiment_id = theirs.id
  left join gateway_runs g on g.stream_id = m.stream_id
  left join streams s on s.id = m.stream_id
  left join trials t on t.id = s.id and s.kind = 'trial'
  left join model_runs p on p.id = s.id and s.kind = 'model_run'
  where g.stream_id is null and (s.id is not null or m.gone_at is null)`;

/** A row as it is shown. */
export type RunRow = RunHead & {
  streamId: number | null;
  isEventApi: 0 | 1;
  trialId: string | null;
  modelRunId: string | null;
};

/** How a page is asked for: rows behind the first, and so many at most. */
export type Window = { offset: number; limit: number };

/** The runs that fit a search, in its order. */
export async function findRows(
  db: D1Database,
  scope: Scope,
  { clauses, terms }: Search,
  stages: readonly LifecycleStage[],
  { offset, limit }: Window,
): Promise<RunRow[]> {
  return drizzle(db).all<RunRow>(sql`
    select stream_id as streamId, is_event_api as isEventApi, run_id as runId,
      experiment_id as experimentId, run_name as runName, user_id as userId, status, start_time as startTime,
      end_time as endTime, artifact_uri as artifactUri, lifecycle as lifecycleStage, trial_id as trialId,
      model_run_id as modelRunId
    from ${rowsOf(scope)} r
    where lifecycle in (select value from json_each(${JSON.stringify(stages)}))
      and ${conditionOf(withFirstIds(clauses, scope.firstIds), rowSource)}
    order by ${orderOfRuns(terms, rowSource)} limit ${limit} offset ${offset}`);
}
