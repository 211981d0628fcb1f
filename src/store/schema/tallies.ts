import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { RUN_STATUSES } from "../../domain/words.ts";

/**
 * How many there are of what piles up, by name (`trials.running`, `streams.trial`, `conflicts.open.param`, ...), so that
 * nobody need count them. Triggers keep them with every change, in the same statement; a migration that makes one of
 * their tables anew must make its triggers anew as well.
 */
export const tallies = sqliteTable("tallies", {
  name: text().primaryKey(),
  value: integer().notNull(),
});

/** The same of each model run's trials by status, and by spectral_norm where that was said. */
export const trialCounts = sqliteTable(
  "trial_counts",
  {
    modelRunId: text("model_run_id").primaryKey(),
    running: integer().notNull().default(0),
    succeeded: integer().notNull().default(0),
    failed: integer().notNull().default(0),
    skipped: integer().notNull().default(0),
    cancelled: integer().notNull().default(0),
    withSpectralNorm: integer("with_spectral_norm").notNull().default(0),
    withoutSpectralNorm: integer("without_spectral_norm").notNull().default(0),
    /**
     * Since when the model run's summary tags may say otherwise, or when that was last looked at, in epoch milliseconds; null
     * once they were seen to agree. Set by the triggers, and by one of `model_runs` when it is announced.
     */
    summaryDueAt: integer("summary_due_at"),
  },
  (t) => [
    index("trial_counts_summary_due")
      .on(t.summaryDueAt, t.modelRunId)
      .where(sql`${t.summaryDueAt} is not null`),
  ],
);

/** The same of each experiment's mirrored runs by MLflow's status. */
export const runCounts = sqliteTable(
  "run_counts",
  {
    mlflowExperimentId: text("mlflow_experiment_id").notNull(),
    status: text({ enum: RUN_STATUSES }).notNull(),
    value: integer().notNull(),
  },
  (t) => [primaryKey({ columns: [t.mlflowExperimentId, t.status] })],
);

/** Counts that only grow, for /metrics: `name` with its labels as Prometheus writes them. */
export const counters = sqliteTable("counters", {
  name: text().primaryKey(),
  value: integer().notNull(),
});
