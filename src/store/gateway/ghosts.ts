/**
 * Runs whose maker never heard of them: the answer was lost, and the same was asked for again. Such a ghost is in no
 * search, and buried after a while: it counts as deleted then, and MLflow never hears of it, unless somebody writes to it
 * after all.
 */

/** How far apart a request and the one that was sent again for it may be. */
const TWIN_MS = 600_000;

/**
 * SQL: whether a run that nobody used is the ghost of a request whose answer was lost: the same was asked for again, and
 * that run is used.
 * @param run the alias of its row in `gateway_runs`
 */
export function isGhost(run: string): string {
  return `(${run}.touched_at is null and ${run}.create_hash is not null and exists (
    select 1 from gateway_runs twin where twin.create_hash = ${run}.create_hash and twin.stream_id <> ${run}.stream_id
      and twin.touched_at is not null
      and twin.created_at between ${run}.created_at - ${TWIN_MS} and ${run}.created_at + ${TWIN_MS}))`;
}

/** SQL: whether it was buried as one. Nobody used it, and it is nobody's twin any more. */
export function isBuried(run: string): string {
  return `(${run}.touched_at is null and ${run}.create_hash is null)`;
}

/** Buries a run that is a ghost; false where it is none. */
export async function buryGhost(db: D1Database, streamId: number): Promise<boolean> {
  const { meta } = await db
    .prepare(
      `update gateway_runs set lifecycle = 'deleted', create_hash = null
       where stream_id = ?1 and ${isGhost("gateway_runs")}`,
    )
    .bind(streamId)
    .run();
  return meta.changes > 0;
}

/** What is written to a ghost shows that there is somebody who knows of it. */
export async function reviveGhost(db: D1Database, streamId: number, now: number): Promise<void> {
  await db
    .prepare(
      `update gateway_runs set lifecycle = 'active', touched_at = ?2
       where stream_id = ?1 and ${isBuried("gateway_runs")}`,
    )
    .bind(streamId, now)
    .run();
}
