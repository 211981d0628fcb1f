import { overRows } from "../sql.ts";
import { type GatewayModel, MODEL_COLUMNS, type ModelRow, readModel } from "./models.ts";

/** Logged models that MLflow has as they are here, to see what became of them there. */

export type FollowedModel = GatewayModel & { mlflowId: string; version: number };

/** The models of one of MLflow's experiments that are not deleted, in the order of their numbers, behind one of them. */
export async function modelsToFollow(
  db: D1Database,
  mlflowExperimentId: string,
  after: number,
  most: number,
): Promise<FollowedModel[]> {
  const { results } = await db
    .prepare(
      `select ${MODEL_COLUMNS}, version from gateway_models
       where experiment_id in (select ?1 union select id from gateway_experiments where mlflow_experiment_id = ?1)
         and mlflow_id is not null and lifecycle = 'active' and delivered_version = version and n > ?2
       order by n limit ?3`,
    )
    .bind(mlflowExperimentId, after, most)
    .all<ModelRow & { mlflowId: string; version: number }>();
  return results.map((row) => ({ ...readModel(row), mlflowId: row.mlflowId, version: row.version }));
}

/** What of a model is edited in MLflow. */
export type ModelEdit = Pick<GatewayModel, "status" | "lifecycle" | "tags" | "params" | "updatedTime">;

/**
 * Takes over what was edited in MLflow of models that are still as they were when MLflow was asked: what was said here
 * meanwhile goes there first.
 * @returns how many were
 */
export async function takeOver(
  db: D1Database,
  edits: readonly { model: FollowedModel; edit: ModelEdit }[],
): Promise<number> {
  if (edits.length === 0) return 0;
  const rows = edits.map(({ model: { id, version }, edit }) => ({ id, version, ...edit }));
  const done = await db.batch(overRows(db, TAKE_OVER, rows));
  return done.reduce((sum, { meta }) => sum + meta.changes, 0);
}

const TAKE_OVER = `
  update gateway_models set status = said.value ->> 'status', lifecycle = said.value ->> 'lifecycle',
    tags = said.value -> 'tags', params = said.value -> 'params', updated_time = said.value ->> 'updatedTime',
    sent = json_object('status', said.value ->> 'status', 'lifecycle', said.value ->> 'lifecycle',
      'tags', said.value -> 'tags', 'params', said.value -> 'params')
  from json_each(?1) said
  where gateway_models.id = said.value ->> 'id' and version = said.value ->> 'version' and delivered_version = version`;
