/** The database's size in bytes; free pages do not count. */
export async function sizeOf(db: D1Database): Promise<number> {
  const { meta } = await db.prepare("select 1").run();
  return meta.size_after;
}

/** Reads a row, to see that the database answers; throws where it does not. */
export async function reach(db: D1Database): Promise<void> {
  await db.prepare("select 1 from streams limit 1").all();
}
