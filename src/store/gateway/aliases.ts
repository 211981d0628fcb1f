import { overRows } from "../sql.ts";
import { FIRST_ID } from "./search-scope.ts";

/** Ids as they are known on both sides, of many runs, experiments and logged models at once. */

/** A run by the id that was asked for. The roots are where its artifacts are, null where that is not known. */
export type RunAlias = {
  asked: string;
  streamId: number;
  /** The id that was given first, and the root that belongs to it. */
  first: string;
  firstRoot: string | null;
  /** MLflow's; null while it has none. */
  mlflow: string | null;
  mlflowRoot: string | null;
  /** Why it does not get there until somebody acts; null where nothing stands in the way. */
  blockedReason: string | null;
};

export type ExperimentAlias = { asked: string; first: string; mlflow: string | null };

/** The roots as of a run. */
export type ModelAlias = Omit<RunAlias, "streamId" | "blockedReason">;

export type Aliases = { runs: RunAlias[]; experiments: ExperimentAlias[]; models: ModelAlias[] };

/**
 * Those of the ids that the relay has a run, experiment or logged model of its own for; any other is the same on both sides.
 * @param side whose ids they are, where one is both the relay's id of one and MLflow's of another
 */
export async function aliasesOf(
  db: D1Database,
  ids: { runs: readonly string[]; experiments: readonly string[]; models: readonly string[] },
  side: "client" | "mlflow",
): Promise<Aliases> {
  const runs = overRows(db, RUNS, ids.runs, side);
  const experiments = overRows(db, EXPERIMENTS, ids.experiments, side);
  const models = overRows(db, MODELS, ids.models, side);
  const results = await db.batch<RunAlias & ExperimentAlias>([...runs, ...experiments, ...models]);
  const rows = results.map((result) => result.results);
  const beforeModels = runs.length + experiments.length;
  return {
    runs: rows.slice(0, runs.length).flat(),
    experiments: rows.slice(runs.length, beforeModels).flat(),
    models: rows.slice(beforeModels).flat(),
  };
}

const RUNS = `
  select asked, streamId, first, firstRoot, mlflow, mlflowRoot, blockedReason from (
    select a.value as asked, s.id as streamId, ${FIRST_ID} as first,
      coalesce(g.artifact_uri, r.artifact_uri) as firstRoot, s.mlflow_run_id as mlflow, r.artifact_uri as mlflowRoot,
      s.blocked_reason as blockedReason,
      row_number() over (partition by a.value order by iif(?2 = 'client', s.key, s.mlflow_run_id) = a.value desc) as n
    from json_each(?1) a join streams s on s.key = a.value or s.mlflow_run_id = a.value
    left join gateway_runs g on g.stream_id = s.id
    left join mlflow_runs r on r.mlflow_run_id = s.mlflow_run_id)
  where n = 1`;

const EXPERIMENTS = `
  select asked, first, mlflow from (
    select a.value as asked, g.id as first, g.mlflow_experiment_id as mlflow,
      row_number() over (partition by a.value
        order by iif(?2 = 'client', g.id, g.mlflow_experiment_id) = a.value desc, g.created_time) as n
    from json_each(?1) a join gateway_experiments g on g.id = a.value or g.mlflow_experiment_id = a.value)
  where n = 1`;

const MODELS = `
  select asked, first, firstRoot, mlflow, mlflowRoot from (
    select a.value as asked, g.id as first, g.artifact_uri as firstRoot, g.mlflow_id as mlflow, g.mlflow_root as mlflowRoot,
      row_number() over (partition by a.value order by iif(?2 = 'client', g.id, g.mlflow_id) = a.value desc) as n
    from json_each(?1) a join gateway_models g on g.id = a.value or g.mlflow_id = a.value)
  where n = 1`;
