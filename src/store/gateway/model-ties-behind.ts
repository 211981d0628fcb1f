import type { ModelTie } from "../../domain/words.ts";
import type { ModelPoint } from "./model-ties.ts";

/** What runs have to do with a logged model, on its way to MLflow. */

/** `mlflowRunId`: null while the run is not there. */
export type TieBehind = { streamId: number; kind: ModelTie; step: number; mlflowRunId: string | null };

/** The runs that MLflow does not know to have to do with it; the ones that are there come first. */
export async function tiesBehind(db: D1Database, modelId: string, most: number): Promise<TieBehind[]> {
  const { results } = await db
    .prepare(
      `select l.stream_id as streamId, l.kind, l.step, s.mlflow_run_id as mlflowRunId
       from gateway_model_links l join streams s on s.id = l.stream_id
       where l.model_id = ?1 and l.is_delivered = 0 order by s.mlflow_run_id is null, l.rowid limit ?2`,
    )
    .bind(modelId, most)
    .all<TieBehind>();
  return results;
}

/** Notes that MLflow knows of it. */
export async function markTie(
  db: D1Database,
  modelId: string,
  { streamId, kind }: Pick<TieBehind, "streamId" | "kind">,
): Promise<void> {
  await db
    .prepare(
      "update gateway_model_links set is_delivered = 1 where model_id = ?1 and stream_id = ?2 and kind = ?3",
    )
    .bind(modelId, streamId, kind)
    .run();
}

export type PointBehind = ModelPoint & { streamId: number; mlflowRunId: string };

/**
 * Points of a model that MLflow does not have, all of one run, which has them there already: nothing of the run itself is
 * written then.
 */
export async function pointsBehind(db: D1Database, modelId: string, most: number): Promise<PointBehind[]> {
  return (await db.prepare(POINTS).bind(modelId, most).all<PointBehind>()).results;
}

const POINTS = `
  with next as (
    select p.stream_id as id from gateway_model_points p join streams s on s.id = p.stream_id
    where p.model_id = ?1 and p.is_delivered = 0 and p.seq <= s.delivered_seq and s.mlflow_run_id is not null
    order by p.stream_id limit 1)
  select p.model_id as modelId, p.key, p.timestamp, p.step, p.value, p.dataset_name as datasetName,
    p.dataset_digest as datasetDigest, p.stream_id as streamId, s.mlflow_run_id as mlflowRunId
  from next join streams s on s.id = next.id join gateway_model_points p on p.stream_id = next.id
  where p.model_id = ?1 and p.is_delivered = 0 and p.seq <= s.delivered_seq
  order by p.seq limit ?2`;

/** The streams of runs that have points of it, and are not in MLflow up to there. */
export async function runsWaitedFor(db: D1Database, modelId: string, most: number): Promise<number[]> {
  const { results } = await db
    .prepare(
      `select distinct p.stream_id as id from gateway_model_points p join streams s on s.id = p.stream_id
       where p.model_id = ?1 and p.is_delivered = 0 and (p.seq > s.delivered_seq or s.mlflow_run_id is null) limit ?2`,
    )
    .bind(modelId, most)
    .all<{ id: number }>();
  return results.map(({ id }) => id);
}

/** Notes that MLflow has them. */
export async function markPoints(db: D1Database, points: readonly PointBehind[]): Promise<void> {
  const rows = points.map(({ modelId, key, timestamp, step, streamId }) => [
    modelId,
    key,
    timestamp,
    step,
    streamId,
  ]);
  await db
    .prepare(
      `update gateway_model_points set is_delivered = 1
       where (model_id, key, timestamp, step, stream_id) in (
         select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 from json_each(?1))`,
    )
    .bind(JSON.stringify(rows))
    .run();
}

/** Whether files of a model are still on their way to MLflow; what stands still until somebody acts does not count. */
export async function hasFilesBehind(db: D1Database, n: number): Promise<boolean> {
  const query = `select exists (select 1 from artifacts
    where stream_id = ?1 and delivered_version < version and blocked_reason is null) as found`;
  return (await db.prepare(query).bind(-n).first<number>("found")) === 1;
}
