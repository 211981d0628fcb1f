import { type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { RunHead } from "../../domain/client-run.ts";
import type { LifecycleStage } from "../../domain/words.ts";
import { conditionOf } from "../../search/conditions.ts";
import type { Search } from "../../search/search.ts";
import { orderOfRuns } from "../../search/sorting.ts";
import {
  experimentsOf,
  OUR_COLUMNS,
  ourRuns,
  START_OR_ITS_OWN,
  theirColumns,
  theirRuns,
} from "./search-columns.ts";
import { type Scope, withFirstIds } from "./search-scope.ts";
import { rowSource } from "./search-source.ts";
import { isWalked, type Window, walked } from "./search-walk.ts";

/**
 * The runs of some experiments as one table `r`: those of MLflow's clients, and what the mirror has beside them. Of a trial or
 * model run of the event API the state is its own; `stream_id` is null where
 * only the mirror knows of a run.
 */
function rowsOf(scope: Scope): SQL {
  return sql`(
    with ${experimentsOf(scope)}
    select ${sql.raw(OUR_COLUMNS)} from ours cross join ${sql.raw(ourRuns())} and g.experiment_id = ours.id
    union all
    select ${sql.raw(theirColumns(START_OR_ITS_OWN))} from theirs cross join ${sql.raw(theirRuns())}
      and m.mlflow_experiment_id = theirs.id)`;
}

/** A row as it is shown. */
export type RunRow = RunHead & {
  streamId: number | null;
  isEventApi: 0 | 1;
  trialId: string | null;
  modelRunId: string | null;
};

/** The runs that fit a search, in its order. */
export async function findRows(
  db: D1Database,
  scope: Scope,
  search: Search,
  stages: readonly LifecycleStage[],
  window: Window,
): Promise<RunRow[]> {
  const clauses = withFirstIds(search.clauses, scope.firstIds);
  const isWalk = isWalked(scope, search);
  const found = isWalk
    ? walked(scope, { ...search, clauses }, stages, window)
    : sql`${rowsOf(scope)} r
      where lifecycle in (select value from json_each(${JSON.stringify(stages)}))
        and ${conditionOf(clauses, rowSource)}`;
  const offset = isWalk && window.after ? 0 : window.offset;
  return drizzle(db).all<RunRow>(sql`
    select stream_id as streamId, is_event_api as isEventApi, run_id as runId,
      experiment_id as experimentId, run_name as runName, user_id as userId, status, start_time as startTime,
      end_time as endTime, artifact_uri as artifactUri, lifecycle as lifecycleStage, trial_id as trialId,
      model_run_id as modelRunId
    from ${found}
    order by ${orderOfRuns(search.terms, rowSource)} limit ${window.limit} offset ${offset}`);
}
