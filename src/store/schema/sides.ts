import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { CONFLICT_KINDS, CONFLICT_SOURCES, CONFLICT_STATES, SIDES, VERDICTS } from "../../domain/words.ts";

/**
 * What both sides last agreed on: the tags that MLflow took from us or we from it, and the parameters that we took
 * from it. The run's own state is agreed on in `streams.sent_state`. WITHOUT ROWID.
 */
export const agreed = sqliteTable(
  "agreed",
  {
    streamId: integer("stream_id").notNull(),
    kind: text({ enum: ["tag", "param"] }).notNull(),
    key: text().notNull(),
    value: text().notNull(),
  },
  (t) => [primaryKey({ columns: [t.streamId, t.kind, t.key] })],
);

/** What two sides said differently, what was kept, and when. */
export const conflicts = sqliteTable(
  "conflicts",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    streamId: integer("stream_id").notNull(),
    kind: text({
      enum: CONFLICT_KINDS,
    }).notNull(),
    field: text().notNull(),
    kept: text(),
    refused: text().notNull(),
    source: text({ enum: CONFLICT_SOURCES }).notNull(),
    eventId: text("event_id"),
    createdAt: integer("created_at").notNull(),
    /** Of a merge: what both last agreed on, what each side has, and whose was taken. Null: not there. */
    base: text(),
    relayValue: text("relay_value"),
    mlflowValue: text("mlflow_value"),
    decision: text({ enum: SIDES }),
    state: text({ enum: CONFLICT_STATES }).notNull().default("open"),
    /** By hand: whose value was taken, and when. */
    resolution: text({ enum: SIDES }),
    resolvedAt: integer("resolved_at"),
  },
  (t) => [
    uniqueIndex("conflicts_once").on(t.streamId, t.kind, t.field, t.refused),
    index("conflicts_state").on(t.state, t.id),
    index("conflicts_kind").on(t.kind, t.id),
    index("conflicts_state_kind").on(t.state, t.kind, t.id),
    // What the cron may delete in time.
    index("conflicts_passing")
      .on(t.resolvedAt)
      .where(
        sql`${t.state} = 'resolved' and (${t.kind} in ('name', 'status', 'tag', 'description', 'double_run') or (${t.kind} = 'param' and ${t.source} = 'journal'))`,
      ),
  ],
);

/** What a reading back of MLflow found: the latest verdict on each stream. */
export const verdicts = sqliteTable("verdicts", {
  streamId: integer("stream_id").primaryKey(),
  verdict: text({ enum: VERDICTS }).notNull(),
  /** JSON: what is missing, extra or different, by kind and key. */
  report: text().notNull(),
  /** The watermark up to which the journal was compared. */
  seq: integer().notNull(),
  checkedAt: integer("checked_at").notNull(),
});
