/** The files of runs that the relay has, or had until MLflow had them. Times in epoch milliseconds. */

export type Artifact = {
  id: number;
  path: string;
  bytes: number;
  sha256: string;
  contentType: string;
  /** Where the bytes are in the bucket; null: MLflow alone has them. */
  objectKey: string | null;
  version: number;
  deliveredVersion: number;
  deliveredAt: number | null;
  /** It was removed here, and MLflow may not have heard of it yet. */
  removedAt: number | null;
  createdAt: number;
  updatedAt: number;
  attempts: number;
  lastError: string | null;
  blockedReason: string | null;
};

export const COLUMNS = `id, path, bytes, sha256, content_type as contentType, object_key as objectKey, version,
  delivered_version as deliveredVersion, delivered_at as deliveredAt, removed_at as removedAt, created_at as createdAt, updated_at as updatedAt,
  attempts, last_error as lastError, blocked_reason as blockedReason`;

/** A file of a stream's, also one that was removed; null where it has none of that path. */
export async function artifactAt(db: D1Database, streamId: number, path: string): Promise<Artifact | null> {
  return db.prepare(AT).bind(streamId, path).first<Artifact>();
}

/** Also for a batch, where another statement stands before it. */
export const AT = `select ${COLUMNS} from artifacts where stream_id = ?1 and path = ?2`;

/** What is in one directory: a file, or a directory by its name alone. */
export type Entry = { path: string; file: Artifact | null };

/** More names in one directory are not listed. */
const MAX_NAMES = 10_000;

/**
 * What a stream has in a directory, and which of its files are removed here and may still be in MLflow.
 * @param directory "" is the run's root
 */
export async function listDirectory(
  db: D1Database,
  streamId: number,
  directory: string,
): Promise<{ entries: Entry[]; removed: Set<string> }> {
  const prefix = directory === "" ? "" : `${directory}/`;
  const { results } = await db
    .prepare(LIST)
    .bind(streamId, prefix, prefix === "" ? null : `${directory}0`, MAX_NAMES)
    .all<Artifact & { name: string; isDirectory: 0 | 1; isRemoved: 0 | 1 }>();
  const removed = new Set(results.filter((row) => row.isRemoved === 1).map(({ name }) => prefix + name));
  const entries = results
    .filter((row) => row.isRemoved === 0)
    .map(({ name, isDirectory, isRemoved: _, ...file }) => ({
      path: prefix + name,
      file: isDirectory === 1 ? null : file,
    }));
  return { entries, removed };
}

/** "0" is the character after "/". */
const LIST = `
  select ${COLUMNS}, name, isDirectory, isRemoved from (
    select *, instr(rest, '/') > 0 as isDirectory,
      iif(instr(rest, '/') > 0, substr(rest, 1, instr(rest, '/') - 1), rest) as name, removed_at is not null as isRemoved
    from (select *, substr(path, length(?2) + 1) as rest from artifacts
      where stream_id = ?1 and path >= ?2 and (?3 is null or path < ?3))
    where removed_at is null or instr(rest, '/') = 0)
  group by name, isDirectory, isRemoved order by name limit ?4`;
