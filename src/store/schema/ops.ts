import { index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

/** Named locks with an end, for work that only one invocation may do. */
export const locks = sqliteTable("locks", {
  name: text().primaryKey(),
  token: text().notNull(),
  until: integer().notNull(),
});

/** Reports of the cron's passes. */
export const cronPasses = sqliteTable("cron_passes", {
  id: integer().primaryKey({ autoIncrement: true }),
  startedAt: integer("started_at").notNull(),
  finishedAt: integer("finished_at").notNull(),
  report: text().notNull(),
});

/** API tokens, kept as SHA-256 only. */
export const apiTokens = sqliteTable("api_tokens", {
  id: text().primaryKey(),
  name: text().notNull(),
  hash: text().notNull().unique(),
  scopes: text().notNull(),
  createdAt: integer("created_at").notNull(),
  expiresAt: integer("expires_at"),
  revokedAt: integer("revoked_at"),
});

/**
 * What was refused at the door, a row a kind: with whose token, of which trial, which field, and by which rule. Names
 * that were not given are empty. Bounded in number and age.
 */
export const refusals = sqliteTable(
  "refusals",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    tokenId: text("token_id").notNull(),
    modelRunId: text("model_run_id").notNull(),
    trialId: text("trial_id").notNull(),
    error: text().notNull(),
    field: text().notNull(),
    rule: text().notNull(),
    /** What the field held the last time, cut. */
    value: text().notNull(),
    /** Of the last request, as the log knows it. */
    requestId: text("request_id").notNull(),
    count: integer().notNull(),
    firstAt: integer("first_at").notNull(),
    lastAt: integer("last_at").notNull(),
  },
  (t) => [
    uniqueIndex("refusals_kind").on(t.tokenId, t.modelRunId, t.trialId, t.error, t.field, t.rule),
    index("refusals_trial").on(t.modelRunId, t.trialId),
    index("refusals_last").on(t.lastAt),
  ],
);
