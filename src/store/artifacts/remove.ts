import { READ_MS } from "./garbage.ts";

/** A file or directory of a stream's, and what of it only MLflow has. */
type Place = { streamId: number; path: string; theirs: readonly string[] };

/**
 * Removes a file, or everything in a directory. What only MLflow has is noted as removed, until it has heard of that.
 * @returns the ids of what was removed, of which MLflow is to hear
 */
export async function removeArtifacts(
  db: D1Database,
  { streamId, path, theirs }: Place,
  now: number,
): Promise<number[]> {
  const results = await db.batch<{ id: number }>([
    db
      .prepare(
        `insert or replace into loose_objects (key, upload_id, expires_at, taken)
         select object_key, null, ?3, false from artifacts where ${UNDER} and object_key is not null`,
      )
      .bind(streamId, path, now + READ_MS),
    db
      .prepare(
        `update artifacts set removed_at = ?3, updated_at = ?3, object_key = null, version = version + 1, attempts = 0,
           next_attempt_at = 0, blocked_reason = null where ${UNDER} returning id`,
      )
      .bind(streamId, path, now),
    db
      .prepare(
        `insert into artifacts (stream_id, path, bytes, sha256, content_type, created_at, updated_at, removed_at)
         select ?1, value, 0, '', '', ?3, ?3, ?3 from json_each(?2) where true
         on conflict (stream_id, path) do nothing returning id`,
      )
      .bind(streamId, JSON.stringify(theirs), now),
  ]);
  return results.flatMap(({ results: rows }) => rows.map(({ id }) => id));
}

const UNDER = `stream_id = ?1 and removed_at is null and (path = ?2 or (path > ?2 || '/' and path < ?2 || '0'))`;
