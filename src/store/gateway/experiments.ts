import * as z from "zod";
import { toRecord } from "../../domain/pairs.ts";
import type { LifecycleStage } from "../../domain/words.ts";
import type { Experiment } from "../../mlflow/types.ts";

/** Experiments as MLflow's clients see them: made here, used here, or only seen in MLflow. */

/** Times in epoch milliseconds. `id`: the one that was given first. */
export type GatewayExperiment = {
  id: string;
  /** MLflow's; null while it has none. */
  mlflowExperimentId: string | null;
  name: string;
  artifactLocation: string;
  lifecycle: LifecycleStage;
  tags: Record<string, string>;
  createdTime: number;
  updatedTime: number;
  /** It has a row of its own, and so can be changed. */
  isOurs: boolean;
};

/** A row as the database gives it. */
export type Row = Omit<GatewayExperiment, "tags" | "isOurs"> & { tags: string; isOurs: 0 | 1 };

/** Where the artifacts of an experiment are for its clients, unless they say otherwise. */
export function ownLocation(id: string): string {
  return `mlflow-artifacts:/${id}`;
}

const texts = z.record(z.string(), z.string());

/** In doubt: whether it was made in MLflow. */
export const CREATE = "create";

/** Whether `g`, one of ours, is just being made in MLflow under a name, and its id there is not known here yet. */
const isMadeAs = (name: string) => `
  g.delivered_version < g.version and g.mlflow_experiment_id is null and g.sent ->> '$.name' = ${name}
  and exists (select 1 from json_each(g.sent, '$.doubt') where value = '${CREATE}')`;

const OURS = `
  select id, mlflow_experiment_id as mlflowExperimentId, name, artifact_location as artifactLocation, lifecycle, tags,
    created_time as createdTime, updated_time as updatedTime, 1 as isOurs
  from gateway_experiments`;

/** As in the index. */
const THEIR_CREATION = "case when m.created_time is null then 0 else m.created_time end";

const THEIRS = `
  select m.mlflow_experiment_id as id, m.mlflow_experiment_id as mlflowExperimentId, m.name,
    coalesce(m.artifact_location, 'mlflow-artifacts:/' || m.mlflow_experiment_id) as artifactLocation,
    m.lifecycle_stage as lifecycle, coalesce(m.tags, '{}') as tags,
    ${THEIR_CREATION} as createdTime, coalesce(m.updated_time, 0) as updatedTime, 0 as isOurs
  from mlflow_experiments m
  where not exists (select 1 from gateway_experiments g where g.mlflow_experiment_id = m.mlflow_experiment_id)
    and not exists (select 1 from gateway_experiments g where ${isMadeAs("m.name")})`;

/** Those that are the relay's own, and those that the mirror alone knows, which have MLflow's id. */
export const EXPERIMENTS = { ours: OURS, theirs: THEIRS };
export const ALL_EXPERIMENTS = `${OURS} union all ${THEIRS}`;

/** The experiment with this id, the relay's or MLflow's; null where neither knows it. */
export async function experimentById(db: D1Database, id: string): Promise<GatewayExperiment | null> {
  const query = `select * from (${ALL_EXPERIMENTS}) where id = ?1 or mlflowExperimentId = ?1
    order by id = ?1 desc, createdTime limit 1`;
  return readFirst(await db.prepare(query).bind(id).first<Row>());
}

/** The experiment in which a client of MLflow made the run of this stream; null where none did. */
export async function experimentOfClientsRun(
  db: D1Database,
  streamId: number,
): Promise<GatewayExperiment | null> {
  const query = `select x.* from (${ALL_EXPERIMENTS}) x join gateway_runs g on g.experiment_id = x.id where g.stream_id = ?1`;
  return readFirst(await db.prepare(query).bind(streamId).first<Row>());
}

/** The experiment of this name, deleted or not; of two the one that was made here first. */
export async function experimentByName(db: D1Database, name: string): Promise<GatewayExperiment | null> {
  const query = `select * from (${ALL_EXPERIMENTS}) where name = ?1 order by isOurs desc, createdTime limit 1`;
  return readFirst(await db.prepare(query).bind(name).first<Row>());
}

function readFirst(row: Row | null): GatewayExperiment | null {
  return row && readExperiment(row);
}

export function readExperiment(row: Row): GatewayExperiment {
  return { ...row, tags: texts.parse(JSON.parse(row.tags)), isOurs: row.isOurs === 1 };
}

/** MLflow's clock and ours may differ by so much. */
const CLOCKS_MS = 60_000;

/**
 * Whether an experiment of ours may be what MLflow made at a time, without its id being known here yet.
 * @param createdTime in epoch milliseconds, by MLflow's clock
 */
export async function isBeingMade(db: D1Database, createdTime: number): Promise<boolean> {
  const query = `select exists (select 1 from gateway_experiments
    where mlflow_experiment_id is null and delivered_version < version and created_time - ${CLOCKS_MS} <= ?1) as found`;
  return (await db.prepare(query).bind(createdTime).first<number>("found")) === 1;
}

/**
 * Which other one of ours has this name in MLflow until it is renamed there, as it was here; null where there is none. One
 * that somebody has named so in MLflow is not meant; one that was told a name without an answer may have any.
 */
export async function renamedSince(
  db: D1Database,
  id: string,
  { experimentId, name }: Experiment,
): Promise<string | null> {
  const query = `select g.id from gateway_experiments g
    where g.mlflow_experiment_id = ?2 and g.id <> ?1 and g.name <> ?3 and (g.sent ->> '$.name' = ?3
      or exists (select 1 from json_each(g.sent, '$.doubt') where value = 'name'))
    union all
    select g.id from gateway_experiments g where ${isMadeAs("?3")} and g.id <> ?1 and g.name <> ?3
    limit 1`;
  return db.prepare(query).bind(id, experimentId, name).first<string>("id");
}

/** Whether another of ours is to have this name. */
export async function isWanted(db: D1Database, id: string, name: string): Promise<boolean> {
  const query = "select exists (select 1 from gateway_experiments where name = ?2 and id <> ?1) as found";
  return (await db.prepare(query).bind(id, name).first<number>("found")) === 1;
}

/** MLflow's record as clients see it where nothing of ours stands for it. */
export function seenInMlflow(experiment: Experiment): GatewayExperiment {
  const {
    experimentId: id,
    name,
    artifactLocation,
    lifecycleStage,
    creationTime,
    lastUpdateTime,
  } = experiment;
  return {
    id,
    mlflowExperimentId: id,
    name,
    artifactLocation: artifactLocation ?? ownLocation(id),
    lifecycle: lifecycleStage,
    tags: toRecord(experiment.tags),
    createdTime: creationTime ?? 0,
    updatedTime: lastUpdateTime ?? 0,
    isOurs: false,
  };
}
