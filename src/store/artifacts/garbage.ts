/** An object that no file has any more. */
export type LooseObject = { key: string; uploadId: string | null };

/** What was let go may still be read by somebody. */
export const READ_MS = 3_600_000;

/** Takes objects whose time is over, so that no upload may still list them. */
export async function takeGarbage(db: D1Database, now: number, most: number): Promise<LooseObject[]> {
  const { results } = await db
    .prepare(
      `update loose_objects set taken = true
       where key in (select key from loose_objects where expires_at <= ?1 order by expires_at limit ?2)
       returning key, upload_id as uploadId`,
    )
    .bind(now, most)
    .all<LooseObject>();
  return results;
}

/** Takes one of them at once; false where it is a file's, or forgotten already. What is taken twice is taken all the same. */
export async function takeObject(db: D1Database, key: string, now: number): Promise<boolean> {
  const taken = await db
    .prepare("update loose_objects set taken = true, expires_at = ?2 where key = ?1")
    .bind(key, now)
    .run();
  return taken.meta.changes > 0;
}

/** Forgets objects that are deleted. */
export async function forgetObjects(db: D1Database, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  await db
    .prepare("delete from loose_objects where key in (select value from json_each(?1))")
    .bind(JSON.stringify(keys))
    .run();
}

/**
 * Lets go of bytes that MLflow has had for long enough; the files stay listed, and are read from there.
 * @param before when MLflow took them at the latest
 */
export async function retireObjects(
  db: D1Database,
  before: number,
  now: number,
  most: number,
): Promise<number> {
  const which = `object_key is not null and delivered_version = version and delivered_at < ?1
    order by delivered_at, id limit ?2`;
  const [, retired] = await db.batch([
    db
      .prepare(
        `insert or replace into loose_objects (key, upload_id, expires_at, taken)
         select object_key, null, ?3, false from artifacts where ${which}`,
      )
      .bind(before, most, now + READ_MS),
    db
      .prepare(`update artifacts set object_key = null where id in (select id from artifacts where ${which})`)
      .bind(before, most),
  ]);
  return retired?.meta.changes ?? 0;
}
