import * as z from "zod";
import type { LifecycleStage, ModelStatus } from "../../domain/words.ts";
import { repeatable } from "../database/counted.ts";

/** Logged models as MLflow's clients see them: made here, or taken up from MLflow by their first use here. */

/** Times in epoch milliseconds. Ids are those that were given first. */
export type GatewayModel = {
  /** What its files are filed under. */
  n: number;
  id: string;
  /** MLflow's; null while it has none. */
  mlflowId: string | null;
  artifactUri: string;
  /** Where MLflow keeps its files; null while nobody has seen. */
  mlflowRoot: string | null;
  experimentId: string;
  sourceRunId: string | null;
  name: string;
  modelType: string;
  status: ModelStatus;
  lifecycle: LifecycleStage;
  tags: Record<string, string>;
  params: Record<string, string>;
  createdTime: number;
  updatedTime: number;
  touchedAt: number | null;
  /** Some of its points are in MLflow only. */
  isPruned: boolean;
  /** MLflow does not have it as it is here. */
  isBehind: boolean;
};

/** A row as the database gives it. */
export type ModelRow = Omit<GatewayModel, "tags" | "params" | Flags> & {
  tags: string;
  params: string;
} & Record<Flags, 0 | 1>;
type Flags = "isPruned" | "isBehind";

export const MODEL_COLUMNS = `n, id, mlflow_id as mlflowId, artifact_uri as artifactUri, mlflow_root as mlflowRoot,
  experiment_id as experimentId, source_run_id as sourceRunId, name, model_type as modelType, status, lifecycle, tags, params,
  created_time as createdTime, updated_time as updatedTime, touched_at as touchedAt, points_pruned_at is not null as isPruned,
  delivered_version < version as isBehind`;

const texts = z.record(z.string(), z.string());

export function readModel(row: ModelRow): GatewayModel {
  return {
    ...row,
    tags: texts.parse(JSON.parse(row.tags)),
    params: texts.parse(JSON.parse(row.params)),
    isPruned: row.isPruned === 1,
    isBehind: row.isBehind === 1,
  };
}

/** The model with this id, the relay's or MLflow's; null where the relay has none. */
export async function modelById(db: D1Database, id: string): Promise<GatewayModel | null> {
  const query = `select ${MODEL_COLUMNS} from gateway_models where id = ?1 or mlflow_id = ?1 order by id = ?1 desc limit 1`;
  const row = await db.prepare(query).bind(id).first<ModelRow>();
  return row && readModel(row);
}

/** The first ids of those among these models that the relay has, by the ids that were asked for, the relay's or MLflow's. */
export async function firstModelIds(
  db: D1Database,
  asked: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const { results } = await db
    .prepare(FIRST_IDS)
    .bind(JSON.stringify(asked))
    .all<{ asked: string; id: string | null }>();
  return new Map(results.flatMap(({ asked: given, id }) => (id === null ? [] : [[given, id] as const])));
}

const FIRST_IDS = `
  select asked.value as asked, (
    select m.id from gateway_models m where m.id = asked.value or m.mlflow_id = asked.value
    order by m.id = asked.value desc limit 1) as id
  from json_each(?1) asked`;

/** Under what a model's files are filed, where those of a run are under its stream's id. */
export function filesOf({ n }: Pick<GatewayModel, "n">): number {
  return -n;
}

export type NewModel = Omit<GatewayModel, "n" | "mlflowId" | "mlflowRoot" | "touchedAt" | Flags> & {
  /** Of the request, to tell a twin. */
  createHash: string;
};

/** Makes a model, to be brought to MLflow; false where its experiment is not there or deleted. */
export async function createModel(db: D1Database, model: NewModel): Promise<boolean> {
  const { id, artifactUri, experimentId, sourceRunId, name, modelType, status, createdTime } = model;
  const { meta } = await db
    .prepare(
      `insert into gateway_models (id, artifact_uri, experiment_id, source_run_id, name, model_type, status, tags, params,
         created_time, updated_time, create_hash, version)
       select ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11, 1
       where exists (select 1 from gateway_experiments where id = ?3 and lifecycle = 'active')`,
    )
    .bind(
      id,
      artifactUri,
      experimentId,
      sourceRunId,
      name,
      modelType,
      status,
      JSON.stringify(model.tags),
      JSON.stringify(model.params),
      createdTime,
      model.createHash,
    )
    .run();
  return meta.changes > 0;
}

/** Takes up a model that MLflow had first, under MLflow's id, as it is there. */
export async function adoptModel(
  db: D1Database,
  model: Omit<GatewayModel, "n" | "touchedAt" | Flags>,
  now: number,
): Promise<void> {
  const { id, artifactUri, mlflowRoot, experimentId, sourceRunId, name, modelType, status, lifecycle } =
    model;
  await db
    .prepare(
      `insert into gateway_models (id, mlflow_id, artifact_uri, mlflow_root, experiment_id, source_run_id, name, model_type,
         status, lifecycle, tags, params, created_time, updated_time, touched_at, sent)
       values (?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,
         json_object('status', ?8, 'lifecycle', ?9, 'tags', json(?10), 'params', json(?11)))
       on conflict do nothing`,
    )
    .bind(
      id,
      artifactUri,
      mlflowRoot,
      experimentId,
      sourceRunId,
      name,
      modelType,
      status,
      lifecycle,
      JSON.stringify(model.tags),
      JSON.stringify(model.params),
      model.createdTime,
      model.updatedTime,
      now,
    )
    .run();
}

/** What a client changes of a model. */
export type ModelChange =
  | { kind: "status"; status: ModelStatus }
  | { kind: "delete" }
  | { kind: "tags"; tags: Readonly<Record<string, string>> }
  | { kind: "untag"; key: string }
  | { kind: "params"; params: Readonly<Record<string, string>> };

/** What every change does beside: its maker has heard of it, and MLflow is to hear of the change. */
export const CHANGED = `version = version + 1, attempts = 0, next_attempt_at = 0, touched_at = coalesce(touched_at, ?2)`;

/**
 * Changes a model, to be brought to MLflow.
 * @returns false where it has not the tag that is taken away, as where the answer to just this was lost and it was done
 *   again, or one of the parameters has another value
 */
export async function changeModel(
  db: D1Database,
  id: string,
  change: ModelChange,
  now: number,
): Promise<boolean> {
  const { set, where = "true", value } = sqlOf(change);
  const { meta } = await repeatable(db)
    .prepare(`update gateway_models set ${set}, ${CHANGED} where id = ?1 and ?3 is not null and ${where}`)
    .bind(id, now, value)
    .run();
  return meta.changes > 0;
}

function sqlOf(change: ModelChange): { set: string; where?: string; value: string } {
  switch (change.kind) {
    case "status":
      return { set: "status = ?3, updated_time = ?2", value: change.status };
    case "delete":
      return { set: "lifecycle = ?3, updated_time = ?2", value: "deleted" };
    case "tags":
      return { set: "tags = json_patch(tags, ?3)", value: JSON.stringify(change.tags) };
    // A path of JSON cannot hold every key.
    case "untag":
      return {
        set: "tags = json_patch(tags, json_object(?3, null))",
        where: "exists (select 1 from json_each(tags) where key = ?3)",
        value: change.key,
      };
    // The first value of each stands.
    case "params":
      return {
        set: "params = json_patch(?3, params)",
        where: `not exists (select 1 from json_each(?3) said join json_each(gateway_models.params) had on had.key = said.key
          where had.value is not said.value)`,
        value: JSON.stringify(change.params),
      };
  }
}

/** Notes that a model's id was used by a reader; false where it was used before. */
export async function touchModel(db: D1Database, id: string, now: number): Promise<boolean> {
  const { meta } = await db
    .prepare(`update gateway_models set ${CHANGED} where id = ?1 and touched_at is null`)
    .bind(id, now)
    .run();
  return meta.changes > 0;
}

/** How far apart a request and the one that was sent again for it may be. */
const TWIN_MS = 600_000;

/**
 * SQL: whether a model that nobody used is the ghost of a request whose answer was lost: the same was asked for again, and
 * that model is used.
 * @param model the alias of its row
 */
export function isGhostModel(model: string): string {
  return `(${model}.touched_at is null and exists (
    select 1 from gateway_models twin where twin.experiment_id = ${model}.experiment_id
      and twin.created_time between ${model}.created_time - ${TWIN_MS} and ${model}.created_time + ${TWIN_MS}
      and twin.create_hash = ${model}.create_hash and twin.touched_at is not null and twin.n <> ${model}.n))`;
}
