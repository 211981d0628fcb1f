import type { Found } from "../../answers/find.ts";
import { ALL_EXPERIMENTS } from "../gateway/experiments.ts";

/** So many of each kind. */
const MOST = 6;
/** Sorts behind every id that begins with the same text. */
const LAST = "\u{10ffff}";

/**
 * What has this text in its id or name. Of trials and runs, of which there may be very many, only an id's beginning is
 * looked at, which an index has.
 */
export async function findAnything(db: D1Database, text: string): Promise<Found[]> {
  const results = await db.batch<Found>([
    db.prepare(MODEL_RUNS).bind(text),
    db.prepare(TRIALS).bind(text, text + LAST),
    db.prepare(EXPERIMENTS).bind(text),
    db.prepare(RUNS).bind(text, text + LAST),
  ]);
  return results.flatMap(({ results: found }) => found);
}

/** The one that is called so, then the latest that fit: those behind them are not looked at. */
const MODEL_RUNS = `
  select kind, id, name, null as within from (
    select 'model_run' as kind, model_run_id as id, coalesce(run_name, model_run_id) as name, 0 as place
    from model_runs where model_run_id = ?1
    union all
    select * from (
      select 'model_run', model_run_id, coalesce(run_name, model_run_id), -id
      from model_runs
      where model_run_id <> ?1
        and (instr(lower(model_run_id), lower(?1)) > 0 or instr(lower(coalesce(run_name, '')), lower(?1)) > 0)
      order by id desc limit ${MOST}))
  order by place = 0 desc, place limit ${MOST}`;

/** A run of an MLflow client is a trial without a model run. */
const TRIALS = `
  select iif(t.model_run_id is null, 'run', 'trial') as kind, t.key as id,
    coalesce(iif(t.model_run_id is null, t.run_name, null), t.trial_id) as name, t.model_run_id as within
  from trials t
  where t.id in (
    select id from (select id from trials where trial_id >= ?1 and trial_id < ?2 order by trial_id limit ${MOST})
    union select id from (select id from trials where key >= ?1 and key < ?2 order by key limit ${MOST}))
  order by t.trial_id <> ?1, t.id desc limit ${MOST}`;

const EXPERIMENTS = `
  select 'experiment' as kind, id, name, null as within from (${ALL_EXPERIMENTS})
  where instr(lower(name), lower(?1)) > 0 or id = ?1 or mlflowExperimentId = ?1
  order by name <> ?1, name limit ${MOST}`;

const RUNS = `
  select 'run' as kind, r.mlflow_run_id as id, coalesce(nullif(r.run_name, ''), r.mlflow_run_id) as name,
    e.name as within
  from mlflow_runs r left join mlflow_experiments e on e.mlflow_experiment_id = r.mlflow_experiment_id
  where r.mlflow_run_id >= ?1 and r.mlflow_run_id < ?2 order by r.mlflow_run_id limit ${MOST}`;
