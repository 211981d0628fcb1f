import type { LifecycleStage } from "../../domain/words.ts";
import { type MirroredData, readMirrored } from "../mirror/mirrored.ts";
import { isBuried } from "./ghosts.ts";
import { FIRST_ID } from "./search-scope.ts";

/** Runs as MLflow's clients ask for them, by whichever id they have. */

/** A run that has a stream: a trial's, a model run's, or an MLflow client's own. Times in epoch milliseconds. */
export type KnownRun = {
  streamId: number;
  key: string;
  kind: "trial" | "model_run";
  modelRunId: string | null;
  trialId: string | null;
  /** The id that was given first: a client's own or a trial's key, else MLflow's. */
  runId: string;
  mlflowRunId: string | null;
  /** The first id of its experiment; null while it is in none. */
  experimentId: string | null;
  experimentName: string | null;
  lifecycle: LifecycleStage;
  artifactUri: string | null;
  createdAt: number;
  /** When it started as MLflow has it; null where MLflow has it not, or does not tell. */
  startInMlflow: number | null;
  /** A client of MLflow made it, or wrote to it. */
  isGateways: boolean;
  touchedAt: number | null;
  isBuried: boolean;
  /** Points of it may be in MLflow that are not here: it was there first, or its points were pruned here. */
  hasPointsElsewhere: boolean;
};

type Flags = "isGateways" | "isBuried" | "hasPointsElsewhere";
type Row = Omit<KnownRun, Flags> & Record<Flags, 0 | 1 | null>;

/** The run with this id, the relay's or MLflow's; null where the relay has no stream for it. */
export async function runById(db: D1Database, id: string): Promise<KnownRun | null> {
  return readKnown(await db.prepare(BY_ID).bind(id).first<Row>());
}

/** The run that is just made in MLflow with this nonce, where its id there may not be known here yet; null where none is. */
export async function runJustMade(
  db: D1Database,
  { nonce, mlflowRunId }: { nonce: string; mlflowRunId: string },
): Promise<KnownRun | null> {
  return readKnown(await db.prepare(JUST_MADE).bind(nonce, mlflowRunId).first<Row>());
}

function readKnown(row: Row | null): KnownRun | null {
  return (
    row && {
      ...row,
      isGateways: row.isGateways === 1,
      isBuried: row.isBuried === 1,
      hasPointsElsewhere: row.hasPointsElsewhere === 1,
    }
  );
}

const KNOWN = `
  select s.id as streamId, s.key, s.kind, s.model_run_id as modelRunId, s.trial_id as trialId,
    ${FIRST_ID} as runId, s.mlflow_run_id as mlflowRunId,
    coalesce(g.experiment_id,
      (select x.id from gateway_experiments x where x.mlflow_experiment_id = s.mlflow_experiment_id
        order by x.created_time limit 1),
      s.mlflow_experiment_id) as experimentId,
    s.experiment_name as experimentName,
    coalesce(g.lifecycle, r.lifecycle_stage, 'active') as lifecycle,
    coalesce(g.artifact_uri, r.artifact_uri) as artifactUri,
    s.created_at as createdAt, r.start_time as startInMlflow, g.stream_id is not null as isGateways, g.touched_at as touchedAt,
    g.stream_id is not null and ${isBuried("g")} as isBuried,
    s.mlflow_run_id is not null and (s.adopted or s.pruned_seq > 0) as hasPointsElsewhere
  from streams s left join gateway_runs g on g.stream_id = s.id
  left join mlflow_runs r on r.mlflow_run_id = s.mlflow_run_id`;

const BY_ID = `${KNOWN} where s.key = ?1 or s.mlflow_run_id = ?1 order by s.key = ?1 desc limit 1`;

/**
 * Not among all that ever were: until the id is known there is something to deliver. Once it is, another run with that
 * nonce is a copy, which somebody made with all tags.
 */
const JUST_MADE = `${KNOWN} where s.id in (
  select id from streams where warm = 1 and create_nonce = ?1 and mlflow_run_id is null
  union all select id from streams where mlflow_run_id = ?2 and create_nonce = ?1) limit 1`;

/** The id under which a run was first known; the same where the relay has no stream for it. */
export async function firstIdOf(db: D1Database, id: string): Promise<string> {
  return (await runById(db, id))?.runId ?? id;
}

/** What was last pulled of a run, by MLflow's id; null where nothing was. */
export async function pulledOf(db: D1Database, mlflowRunId: string): Promise<MirroredData | null> {
  const query = "select data from mlflow_runs where mlflow_run_id = ?1";
  return readMirrored(await db.prepare(query).bind(mlflowRunId).first<string>("data"));
}
