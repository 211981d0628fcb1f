import * as z from "zod";
import { toRecord } from "../../domain/pairs.ts";
import type { LifecycleStage } from "../../domain/words.ts";
import type { Experiment } from "../../mlflow/types.ts";
import { repeatable } from "../database/counted.ts";
import { isBuried } from "./ghosts.ts";
import { saidAnew } from "./lifecycles.ts";

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

/** Makes an experiment, to be brought to MLflow; false where the name is taken, as by a deleted one. */
export async function createExperiment(
  db: D1Database,
  { id, name, artifactLocation, tags, createdTime }: GatewayExperiment,
): Promise<boolean> {
  // Where the answer is lost and it is asked again, the name is taken: by this one.
  const again = repeatable(db);
  const [, made] = await again.batch([
    again
      .prepare(
        `insert into gateway_experiments (id, name, artifact_location, tags, created_time, updated_time, version)
         select ?1, ?2, ?3, ?4, ?5, ?5, 1 where not exists (select 1 from (${ALL_EXPERIMENTS}) where name = ?2)`,
      )
      .bind(id, name, artifactLocation, JSON.stringify(tags), createdTime),
    again.prepare("select 1 from gateway_experiments where id = ?1").bind(id),
  ]);
  return made?.results.length === 1;
}

/** Takes up an experiment that MLflow had first, under MLflow's id, as it is there. */
export async function adoptExperiment(db: D1Database, experiment: GatewayExperiment): Promise<void> {
  const { id, name, artifactLocation, lifecycle, tags, createdTime, updatedTime } = experiment;
  await db
    .prepare(
      `insert into gateway_experiments (id, mlflow_experiment_id, name, artifact_location, lifecycle, tags, created_time,
         updated_time, sent)
       values (?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, json_object('name', ?2, 'lifecycle', ?4, 'tags', json(?5)))
       on conflict do nothing`,
    )
    .bind(id, name, artifactLocation, lifecycle, JSON.stringify(tags), createdTime, updatedTime)
    .run();
}

/** Forgets which of MLflow's an experiment was, for it is there no more, and has it brought there anew. */
export async function forgetMlflows(db: D1Database, id: string, mlflowExperimentId: string): Promise<void> {
  await db
    .prepare(
      `update gateway_experiments set mlflow_experiment_id = null, sent = null, ${CHANGED}
       where id = ?1 and mlflow_experiment_id = ?2`,
    )
    .bind(id, mlflowExperimentId)
    .run();
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

/** What a client changes of an experiment. */
export type ExperimentChange =
  | { kind: "rename"; name: string; now: number }
  | { kind: "lifecycle"; lifecycle: LifecycleStage; now: number }
  | { kind: "tag"; key: string; value: string }
  | { kind: "untag"; key: string };

/**
 * Changes an experiment of ours, to be brought to MLflow. With its lifecycle goes that of all its runs, as in MLflow.
 * @returns false where it is not as the change needs it: it must be active, but to be restored deleted; a new name free,
 *   and a tag that is taken away there
 */
export async function changeExperiment(
  db: D1Database,
  id: string,
  change: ExperimentChange,
): Promise<boolean> {
  const results = await db.batch(statementsOf(db, id, change));
  return (results.at(-1)?.meta.changes ?? 0) > 0;
}

const MOVE_RUNS = `
  update gateway_runs set lifecycle = ?2
  where experiment_id = ?1 and lifecycle <> ?2 and not ${isBuried("gateway_runs")}
    and exists (select 1 from gateway_experiments where id = ?1 and lifecycle <> ?2)`;

/**
 * MLflow may never hear that an experiment was deleted which is restored soon after. The runs in it that were deleted by
 * themselves are told it one by one then.
 */
const RESTORED = `
  select g.stream_id from gateway_experiments x join gateway_runs g on g.experiment_id = x.id and g.lifecycle = 'deleted'
  join mlflow_runs r on r.stream_id = g.stream_id and r.lifecycle_stage = 'deleted'
  where x.id = ?1 and x.lifecycle = 'deleted' and x.sent ->> '$.lifecycle' = 'active'`;
const RESTORING = saidAnew(RESTORED);

/** What was deleted before anybody used it counts as delivered. */
const DELIVER_UNUSED = `
  update streams set planned_seq = 0, delivered_seq = 0
  where mlflow_run_id is null and delivered_seq > 0
    and id in (select g.stream_id from gateway_runs g where g.experiment_id = ?1 and not ${isBuried("g")})`;

const CHANGED = "version = version + 1, attempts = 0, next_attempt_at = 0";
/** Nobody else has the name. */
const IS_FREE = `not exists (select 1 from (${ALL_EXPERIMENTS}) other where other.name = ?2 and other.id <> ?1)`;

function statementsOf(db: D1Database, id: string, change: ExperimentChange): D1PreparedStatement[] {
  switch (change.kind) {
    case "rename":
      return [
        db
          .prepare(
            `update gateway_experiments set name = ?2, updated_time = ?3, ${CHANGED}
             where id = ?1 and lifecycle = 'active' and ${IS_FREE}`,
          )
          .bind(id, change.name, change.now),
      ];
    case "lifecycle": {
      const { lifecycle, now } = change;
      return [
        ...(lifecycle === "active" ? RESTORING.map((query) => db.prepare(query).bind(id, now)) : []),
        db.prepare(MOVE_RUNS).bind(id, lifecycle),
        ...(lifecycle === "active" ? [db.prepare(DELIVER_UNUSED).bind(id)] : []),
        db
          .prepare(
            `update gateway_experiments set lifecycle = ?2, updated_time = ?3, ${CHANGED}
             where id = ?1 and lifecycle <> ?2`,
          )
          .bind(id, lifecycle, now),
      ];
    }
    // A path of JSON cannot hold every key.
    case "tag":
      return [
        db
          .prepare(
            `update gateway_experiments set tags = json_patch(tags, json_object(?2, ?3)), ${CHANGED}
             where id = ?1 and lifecycle = 'active'`,
          )
          .bind(id, change.key, change.value),
      ];
    case "untag":
      return [
        db
          .prepare(
            `update gateway_experiments set tags = json_patch(tags, json_object(?2, null)), ${CHANGED}
             where id = ?1 and lifecycle = 'active' and exists (select 1 from json_each(tags) where key = ?2)`,
          )
          .bind(id, change.key),
      ];
  }
}
