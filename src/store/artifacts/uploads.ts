/** Files that come in parts, and how far each has come. Times in epoch milliseconds. */

export type UploadRow = {
  id: string;
  path: string;
  contentType: string | null;
  objectKey: string;
  multipartId: string;
  isDone: boolean;
  expiresAt: number;
};

/** A part as the bucket has it; they are numbered from 1. */
export type UploadPart = { number: number; bytes: number; etag: string };

/** Notes an upload whose object is noted already. */
export async function beginUpload(
  db: D1Database,
  streamId: number,
  { id, path, contentType, objectKey, multipartId, expiresAt }: UploadRow,
): Promise<void> {
  await db
    .prepare(
      `insert into uploads (id, stream_id, path, content_type, object_key, multipart_id, expires_at)
       values (?1, ?2, ?3, ?4, ?5, ?6, ?7)`,
    )
    .bind(id, streamId, path, contentType, objectKey, multipartId, expiresAt)
    .run();
}

/**
 * An upload that is not over its time, and its parts in order; null where there is none.
 * @param streamId whose it has to be; null: whoever's
 */
export async function readUpload(
  db: D1Database,
  streamId: number | null,
  id: string,
  now: number,
): Promise<(UploadRow & { parts: UploadPart[] }) | null> {
  const upload = db
    .prepare(
      `select id, path, content_type as contentType, object_key as objectKey, multipart_id as multipartId, done as isDone,
         expires_at as expiresAt from uploads where id = ?1 and stream_id = coalesce(?2, stream_id) and expires_at > ?3`,
    )
    .bind(id, streamId, now)
    .first<Omit<UploadRow, "isDone"> & { isDone: 0 | 1 }>();
  const parts = db
    .prepare(
      `select number, bytes, etag from upload_parts where upload_id = ?1 and ${IS_THERE} order by number`,
    )
    .bind(id)
    .all<UploadPart>();
  const [row, { results }] = await Promise.all([upload, parts]);
  return row && { ...row, isDone: row.isDone === 1, parts: results };
}

/** A part that is awaited has no bytes, and the attempt for its etag. */
const IS_THERE = "bytes > 0";

/** Notes that a part is awaited: what came under its number before is none any more, since the bucket writes over it. */
export async function expectPart(db: D1Database, id: string, number: number, attempt: string): Promise<void> {
  await db
    .prepare("insert or replace into upload_parts (upload_id, number, bytes, etag) values (?1, ?2, 0, ?3)")
    .bind(id, number, attempt)
    .run();
}

/**
 * Notes a part that was awaited; the upload has that much longer.
 * @returns false where another attempt at its number began meanwhile; none of both is noted then
 */
export async function notePart(
  db: D1Database,
  { id, objectKey }: UploadRow,
  { number, bytes, etag, attempt }: UploadPart & { attempt: string },
  expiresAt: number,
): Promise<boolean> {
  const [, noted] = await db.batch([
    db
      .prepare("delete from upload_parts where upload_id = ?1 and number = ?2 and etag <> ?3")
      .bind(id, number, attempt),
    db
      .prepare(
        "update upload_parts set bytes = ?3, etag = ?4 where upload_id = ?1 and number = ?2 and etag = ?5",
      )
      .bind(id, number, bytes, etag, attempt),
    db.prepare("update uploads set expires_at = ?2 where id = ?1").bind(id, expiresAt),
    db
      .prepare("update loose_objects set expires_at = ?2 where key = ?1 and taken = false")
      .bind(objectKey, expiresAt),
  ]);
  return (noted?.meta.changes ?? 0) > 0;
}

/** Notes that an upload's file is listed: asked for once more it is there. */
export async function noteUploadDone(db: D1Database, id: string): Promise<void> {
  await db.batch([
    db.prepare("update uploads set done = true where id = ?1").bind(id),
    db.prepare("delete from upload_parts where upload_id = ?1").bind(id),
  ]);
}

/** Forgets an upload, and those that nobody goes on with. */
export async function forgetUploads(db: D1Database, id: string | null, now: number): Promise<void> {
  const which = "from uploads where id = ?1 or expires_at <= ?2";
  await db.batch([
    db.prepare(`delete from upload_parts where upload_id in (select id ${which})`).bind(id, now),
    db.prepare(`delete ${which}`).bind(id, now),
  ]);
}
