import { overRows } from "../sql.ts";

/** Points of logged models that need not stay here, since MLflow has them. */

/** `mlflowId`: MLflow's id. */
export type PrunableModel = { id: string; mlflowId: string };

/** The models that MLflow has as they are here, whose points have been here for long enough by now. */
export async function modelsToPrune(db: D1Database, now: number, most: number): Promise<PrunableModel[]> {
  const { results } = await db
    .prepare(
      `select id, mlflow_id as mlflowId from gateway_models
       where points_due_at <= ?1 and mlflow_id is not null and delivered_version = version
       order by points_due_at limit ?2`,
    )
    .bind(now, most)
    .all<PrunableModel>();
  return results;
}

/** A point as MLflow shows it; `runId`: MLflow's. */
export type SeenPoint = { key: string; timestamp: number; step: number; runId: string; value: number };

/**
 * Deletes the points of a model that MLflow was seen to have as they are here. NaN and infinities stay: a logged model
 * has no place for them there.
 * @param again when to look at what is left
 * @returns how many went
 */
export async function prunePoints(
  db: D1Database,
  { id }: PrunableModel,
  seen: readonly SeenPoint[],
  { now, again }: { now: number; again: number },
): Promise<number> {
  const rows = seen.map(({ key, timestamp, step, runId, value }) => [key, timestamp, step, runId, value]);
  const deletions = overRows(db, DELETE, rows, id);
  const done = await db.batch([...deletions, db.prepare(LOOKED).bind(id, now, again)]);
  return done.slice(0, -1).reduce((sum, { meta }) => sum + meta.changes, 0);
}

/** In this order: each is looked up among the points that are here, not each of these among all that were seen. */
const DELETE = `
  delete from gateway_model_points where (model_id, key, timestamp, step, stream_id) in (
    select p.model_id, p.key, p.timestamp, p.step, p.stream_id
    from json_each(?1) said cross join streams s on s.mlflow_run_id = said.value ->> 3
    cross join gateway_model_points p on p.model_id = ?2 and p.key = said.value ->> 0 and p.timestamp = said.value ->> 1
      and p.step = said.value ->> 2 and p.stream_id = s.id
    where p.is_delivered = 1 and p.value = said.value ->> 4)`;

const LOOKED = `
  update gateway_models set points_pruned_at = coalesce(points_pruned_at, ?2),
    points_due_at = iif(exists (select 1 from gateway_model_points p
      where p.model_id = ?1 and typeof(p.value) <> 'text'), ?3, null)
  where id = ?1`;

/** Has a model's points wait: MLflow could not tell of them. */
export async function postponePoints(db: D1Database, { id }: PrunableModel, until: number): Promise<void> {
  await db.prepare("update gateway_models set points_due_at = ?2 where id = ?1").bind(id, until).run();
}
