import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { BREAKER_STATES, LETTER_KINDS, LETTER_STATES } from "../../domain/words.ts";

/**
 * Intents: the exact items of a log-batch, stored before the call and deleted when MLflow has them; but for the first try
 * with a small one (`streams.sendingItems`). `n`: their order within the stream. WITHOUT ROWID.
 */
export const batches = sqliteTable(
  "batches",
  {
    streamId: integer("stream_id").notNull(),
    n: integer().notNull(),
    token: text().notNull(),
    attempts: integer().notNull().default(0),
    items: text().notNull(),
  },
  (t) => [primaryKey({ columns: [t.streamId, t.n] })],
);

/** Items that MLflow will never take, whole, with its words. */
export const deadLetters = sqliteTable(
  "dead_letters",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    streamId: integer("stream_id"),
    kind: text({ enum: LETTER_KINDS }).notNull(),
    item: text().notNull(),
    reason: text().notNull(),
    /** What MLflow answered: HTTP status and error code. */
    mlflowStatus: integer("mlflow_status"),
    mlflowCode: text("mlflow_code"),
    state: text({ enum: LETTER_STATES }).notNull().default("open"),
    createdAt: integer("created_at").notNull(),
    settledAt: integer("settled_at"),
  },
  (t) => [
    uniqueIndex("dead_letters_once").on(t.streamId, t.kind, t.item),
    index("dead_letters_state").on(t.state, t.id),
    index("dead_letters_state_kind").on(t.state, t.kind, t.id),
    // What the cron may delete in time.
    index("dead_letters_passing")
      .on(t.settledAt)
      .where(sql`${t.state} in ('replayed', 'dropped') and ${t.kind} in ('message', 'status', 'metric')`),
  ],
);

/** The circuit breaker, one row a tracking server. */
export const breakers = sqliteTable("breakers", {
  server: text().primaryKey(),
  state: text({ enum: BREAKER_STATES }).notNull().default("closed"),
  failures: integer().notNull().default(0),
  probes: integer().notNull().default(0),
  openedAt: integer("opened_at"),
  probeAt: integer("probe_at").notNull().default(0),
  /** The next free place in the row of calls, where calls a second are bounded. */
  nextCallAt: integer("next_call_at").notNull().default(0),
  alarm: integer({ mode: "boolean" }).notNull().default(false),
  lastError: text("last_error"),
  updatedAt: integer("updated_at").notNull(),
});
