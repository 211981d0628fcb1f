import { directoriesOf } from "../../domain/artifact-path.ts";
import { type Artifact, AT } from "./files.ts";
import { READ_MS } from "./garbage.ts";

/** A file whose bytes are in the bucket. */
export type NewArtifact = {
  streamId: number;
  path: string;
  objectKey: string;
  bytes: number;
  sha256: string;
  md5: string | null;
  contentType: string;
};

/** `collides`: with this file or directory. `lost`: the object was taken for garbage meanwhile. */
export type KeptArtifact =
  | { kind: "kept"; artifact: Artifact }
  | { kind: "collides"; path: string }
  | { kind: "lost" };

/** Notes an object before anything is written to it, so that whatever becomes of the upload it is found again. */
export async function noteObject(
  db: D1Database,
  key: string,
  uploadId: string | null,
  expiresAt: number,
): Promise<void> {
  await db
    .prepare(
      "insert or replace into loose_objects (key, upload_id, expires_at, taken) values (?1, ?2, ?3, false)",
    )
    .bind(key, uploadId, expiresAt)
    .run();
}

/**
 * Lists a file under its path, where no directory has that name and no file the name of one of its directories. The same
 * bytes again change nothing; others are the next version.
 */
export async function keepArtifact(db: D1Database, file: NewArtifact, now: number): Promise<KeptArtifact> {
  const { streamId, path, objectKey, bytes, sha256, md5, contentType } = file;
  const at = [streamId, path] as const;
  const above = JSON.stringify(directoriesOf(path));
  const [, , , kept, other] = await db.batch<Artifact>([
    db.prepare(LOOSEN_OLD).bind(...at, sha256, now + READ_MS, objectKey, above),
    db.prepare(UPSERT).bind(...at, objectKey, bytes, sha256, md5, contentType, now, above),
    db.prepare(NO_LONGER_LOOSE).bind(...at, objectKey),
    db.prepare(AT).bind(...at),
    db.prepare(`select path from artifacts where ${collides(3)} limit 1`).bind(...at, above),
  ]);
  const [collision] = other?.results ?? [];
  if (collision) return { kind: "collides", path: collision.path };
  const [artifact] = kept?.results ?? [];
  return artifact?.sha256 === sha256 && artifact.objectKey !== null
    ? { kind: "kept", artifact }
    : { kind: "lost" };
}

/** Notes that the bucket has lost a file's bytes: the same ones, sent again, are kept in their place and go on at once. */
export async function noteLost(db: D1Database, id: number, objectKey: string): Promise<void> {
  await db
    .prepare("update artifacts set object_key = null where id = ?1 and object_key = ?2")
    .bind(id, objectKey)
    .run();
}

/** Found by its path: no index has what object a file has. */
const NO_LONGER_LOOSE = `
  delete from loose_objects
  where key = ?3 and exists (select 1 from artifacts where stream_id = ?1 and path = ?2 and object_key = ?3)`;

/** A file within the path as a directory, or one that is named as a directory above it. "0" is the character after "/". */
function collides(above: number): string {
  return `stream_id = ?1 and removed_at is null
    and ((path > ?2 || '/' and path < ?2 || '0') or path in (select value from json_each(?${above})))`;
}

const LOOSEN_OLD = `
  insert or replace into loose_objects (key, upload_id, expires_at, taken)
  select object_key, null, ?4, false from artifacts
  where stream_id = ?1 and path = ?2 and object_key is not null and sha256 <> ?3
    and exists (select 1 from loose_objects where key = ?5 and taken = false)
    and not exists (select 1 from artifacts where ${collides(6)})`;

/** What is there without its bytes waits for just these; a removed file has none. */
const GOES_AT_ONCE = "sha256 <> excluded.sha256 or object_key is null";

const UPSERT = `
  insert into artifacts (stream_id, path, object_key, bytes, sha256, md5, content_type, created_at, updated_at)
  select ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8
  where exists (select 1 from loose_objects where key = ?3 and taken = false)
    and not exists (select 1 from artifacts where ${collides(9)})
  on conflict (stream_id, path) do update set
    object_key = iif(sha256 = excluded.sha256, coalesce(object_key, excluded.object_key), excluded.object_key),
    version = version + (sha256 <> excluded.sha256 or removed_at is not null),
    updated_at = iif(sha256 <> excluded.sha256 or removed_at is not null, excluded.updated_at, updated_at),
    attempts = iif(${GOES_AT_ONCE}, 0, attempts),
    next_attempt_at = iif(${GOES_AT_ONCE}, 0, next_attempt_at),
    blocked_reason = iif(${GOES_AT_ONCE}, null, blocked_reason),
    bytes = excluded.bytes, sha256 = excluded.sha256, md5 = coalesce(excluded.md5, iif(sha256 = excluded.sha256, md5, null)),
    content_type = excluded.content_type, removed_at = null`;
