import { sql } from "drizzle-orm";
import {
  blob,
  customType,
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";

/** A metric value as stored: a number, or the text NaN, Infinity or -Infinity. No column affinity. */
export const metricValue = customType<{ data: number | string }>({ dataType: () => "blob" });

/**
 * The journal: append only. Metric points live beside it, in chunks. WITHOUT ROWID, so that an event is found by
 * its place and by its id for two rows written.
 */
export const events = sqliteTable(
  "events",
  {
    streamId: integer("stream_id").notNull(),
    seq: integer().notNull(),
    eventId: text("event_id").notNull(),
    type: text().notNull(),
    /** Of the body, so that the same id with another body can be told from a repeat. */
    bodyHash: text("body_hash").notNull(),
    occurredAt: integer("occurred_at").notNull(),
    acceptedAt: integer("accepted_at").notNull(),
    correlationId: text("correlation_id").notNull(),
    /** JSON of `Facts`; null when the event carried metric points only. */
    facts: text(),
    points: integer().notNull().default(0),
    repeats: integer().notNull().default(0),
    /** JSON of what was not taken as the trainer sent it; null when all was. */
    warnings: text(),
    /** When it was last said again without anything new in between, of what is known by its content only. */
    saidAgainAt: integer("said_again_at"),
  },
  (t) => [
    primaryKey({ columns: [t.streamId, t.seq] }),
    uniqueIndex("events_identity").on(t.streamId, t.eventId),
    // What a trial says of itself, in order of acceptance; its metrics are by far the most.
    index("events_said").on(t.streamId, t.acceptedAt).where(sql`${t.type} <> 'ml.run.metric'`),
  ],
);

/**
 * What a repeat is known by where its event's row does not tell: contents whose points were taken (`sha256:` and the
 * body's hash), and ids of events whose rows are gone, as an earlier version left them. They grow old with their
 * stream. WITHOUT ROWID.
 */
export const identities = sqliteTable(
  "identities",
  {
    streamId: integer("stream_id").notNull(),
    eventId: text("event_id").notNull(),
    /** Of the body, 16 bytes; null where the id says it, or the relay itself said it. */
    hash: blob(),
    /** Of a content: the event that brought its points. Of a pruned event that was no metric's: its own. */
    seq: integer(),
    /** Of a pruned event that was no metric's: when it was accepted. */
    saidAt: integer("said_at"),
  },
  (t) => [
    primaryKey({ columns: [t.streamId, t.eventId] }),
    index("identities_said").on(t.streamId, t.saidAt).where(sql`${t.saidAt} is not null`),
  ],
);

/**
 * Metric points, each once: the points of one key that one statement of a request brought are a row. `seq` and `n` are
 * the place of its last point in order of acceptance. What holds for all that reads it is in `journal/chunks.ts`.
 * WITHOUT ROWID.
 */
export const metricChunks = sqliteTable(
  "metric_chunks",
  {
    streamId: integer("stream_id").notNull(),
    key: text().notNull(),
    seq: integer().notNull(),
    n: integer().notNull(),
    firstSeq: integer("first_seq").notNull(),
    minStep: integer("min_step").notNull(),
    maxStep: integer("max_step").notNull(),
    /** No point of the key up to here, in order of `seq`, has a higher step. It never falls. */
    top: integer().notNull(),
    /** The same of timestamps. */
    latest: integer().notNull(),
    /** JSON: [seq, n, step, timestamp, value] each, in order of acceptance. NaN and infinities are text. */
    points: text().notNull(),
  },
  (t) => [primaryKey({ columns: [t.streamId, t.key, t.seq, t.n] })],
);

/**
 * Long curves thinned, as far as they were once read: a cache that grows old. What was accepted after `seq` is to be
 * added. WITHOUT ROWID.
 */
export const curveOverviews = sqliteTable(
  "curve_overviews",
  {
    streamId: integer("stream_id").notNull(),
    key: text().notNull(),
    seq: integer().notNull(),
    /** JSON: [step, timestamp, value] each. */
    points: text().notNull(),
    builtAt: integer("built_at").notNull(),
  },
  (t) => [primaryKey({ columns: [t.streamId, t.key] }), index("curve_overviews_built").on(t.builtAt)],
);
