import { sql } from "drizzle-orm";
import { index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { JOB_ACTIONS, JOB_ORIGINS, JOB_STATES } from "../../domain/words.ts";

/** What operators and the cron ask for, under the original's names. */
export const jobs = sqliteTable(
  "jobs",
  {
    id: text().primaryKey(),
    action: text({
      enum: JOB_ACTIONS,
    }).notNull(),
    /** What it is about: a stream's public id, or an MLflow experiment's id. */
    target: text().notNull(),
    state: text({ enum: JOB_STATES }).notNull(),
    /** Who asked: an operator's request, or the cron. */
    origin: text({ enum: JOB_ORIGINS }).notNull(),
    attempts: integer().notNull().default(0),
    snoozes: integer().notNull().default(0),
    /** JSON: [{ attempt, at, kind, error }]. */
    errors: text().notNull().default("[]"),
    /** JSON: where the next message goes on; null at the beginning. */
    progress: text(),
    /** JSON: counts so far. */
    counts: text().notNull().default("{}"),
    dueAt: integer("due_at").notNull(),
    leaseToken: text("lease_token"),
    leaseUntil: integer("lease_until").notNull().default(0),
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
    finishedAt: integer("finished_at"),
  },
  (t) => [
    uniqueIndex("jobs_outstanding").on(t.action, t.target).where(sql`${t.state} in ('queued', 'running')`),
    index("jobs_due").on(t.dueAt).where(sql`${t.state} in ('queued', 'running')`),
    index("jobs_leased").on(t.leaseUntil).where(sql`${t.leaseToken} is not null`),
    index("jobs_created").on(t.createdAt, t.id),
    index("jobs_action").on(t.action, t.createdAt, t.id),
    index("jobs_failed").on(t.state, t.createdAt, t.id).where(sql`${t.state} in ('failed', 'cancelled')`),
  ],
);

/** The experiments that are followed on every pass of the cron, each by MLflow's id or by name. */
export const watches = sqliteTable("watches", {
  id: integer().primaryKey({ autoIncrement: true }),
  mlflowExperimentId: text("mlflow_experiment_id").unique(),
  name: text().unique(),
  createdAt: integer("created_at").notNull(),
  lastJobId: text("last_job_id"),
});
