import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

/**
 * A file of a run or logged model whose bytes came through the relay, and how far it is on its way to MLflow. A row that was removed
 * stands until MLflow has heard of it.
 */
export const artifacts = sqliteTable(
  "artifacts",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    /** Below 0: of a logged model, by the negative of its `n`. */
    streamId: integer("stream_id").notNull(),
    /** From the run's root, or the model's. */
    path: text().notNull(),
    bytes: integer().notNull(),
    /** In lower hex, as is `md5`, which is known where it came with the file. */
    sha256: text().notNull(),
    md5: text(),
    contentType: text("content_type").notNull(),
    /** Where the bytes are in the bucket; null once MLflow alone has them, and of what was removed. */
    objectKey: text("object_key"),
    /** Counts its changes, and which of them MLflow has. */
    version: integer().notNull().default(1),
    deliveredVersion: integer("delivered_version").notNull().default(0),
    deliveredAt: integer("delivered_at"),
    removedAt: integer("removed_at"),
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
    leaseToken: text("lease_token"),
    leaseUntil: integer("lease_until").notNull().default(0),
    attempts: integer().notNull().default(0),
    nextAttemptAt: integer("next_attempt_at").notNull().default(0),
    lastError: text("last_error"),
    /** Why MLflow cannot take it as things stand, and how to mend that. */
    blockedReason: text("blocked_reason"),
  },
  (t) => [
    uniqueIndex("artifacts_path").on(t.streamId, t.path),
    index("artifacts_behind").on(t.nextAttemptAt).where(sql`${t.deliveredVersion} < ${t.version}`),
    index("artifacts_kept")
      .on(t.deliveredAt)
      .where(sql`${t.objectKey} is not null and ${t.deliveredVersion} = ${t.version}`),
  ],
);

/**
 * Objects in the bucket that no file has: an upload under way, one that broke, what was replaced or removed. The cron
 * deletes them after a time. `taken`: it is about to, so that no file may have it any more.
 */
export const looseObjects = sqliteTable(
  "loose_objects",
  {
    key: text().primaryKey(),
    /** Of an upload in parts. */
    uploadId: text("upload_id"),
    expiresAt: integer("expires_at").notNull(),
    taken: integer({ mode: "boolean" }).notNull().default(false),
  },
  (t) => [index("loose_objects_expired").on(t.expiresAt)],
);

/** A file that comes in parts, so that its trainer can go on where a connection broke. */
export const uploads = sqliteTable(
  "uploads",
  {
    id: text().primaryKey(),
    streamId: integer("stream_id").notNull(),
    path: text().notNull(),
    contentType: text("content_type"),
    /** Where it is in the bucket, and by which name the bucket knows its parts as one. */
    objectKey: text("object_key").notNull(),
    multipartId: text("multipart_id").notNull(),
    /** It is listed. */
    done: integer({ mode: "boolean" }).notNull().default(false),
    /** Nobody goes on with it after this. */
    expiresAt: integer("expires_at").notNull(),
  },
  (t) => [index("uploads_expired").on(t.expiresAt)],
);

/** What of it is in the bucket. */
export const uploadParts = sqliteTable(
  "upload_parts",
  {
    uploadId: text("upload_id").notNull(),
    number: integer().notNull(),
    bytes: integer().notNull(),
    etag: text().notNull(),
  },
  (t) => [primaryKey({ columns: [t.uploadId, t.number] })],
);
