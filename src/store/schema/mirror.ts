import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { LIFECYCLE_STAGES, RUN_STATUSES } from "../../domain/words.ts";

/** The relay's mirror of MLflow's experiments. */
export const mlflowExperiments = sqliteTable(
  "mlflow_experiments",
  {
    mlflowExperimentId: text("mlflow_experiment_id").primaryKey(),
    name: text().notNull(),
    artifactLocation: text("artifact_location"),
    lifecycleStage: text("lifecycle_stage", { enum: LIFECYCLE_STAGES }).notNull(),
    syncedAt: integer("synced_at").notNull(),
    /** JSON: names that it had before, so that what asks for one of them follows the rename. */
    formerNames: text("former_names"),
    /** JSON of its tags by key; null until the experiment was pulled. */
    tags: text(),
    createdTime: integer("created_time"),
    updatedTime: integer("updated_time"),
    /** When all of its runs were pulled for the first time; null: never. */
    pulledAt: integer("pulled_at"),
  },
  (t) => [
    index("mlflow_experiments_name").on(t.name),
    // Few ever had another name.
    index("mlflow_experiments_renamed").on(t.mlflowExperimentId).where(sql`${t.formerNames} is not null`),
    // Without a comma: drizzle-kit would take it for two columns.
    index("mlflow_experiments_created").on(
      sql`case when ${t.createdTime} is null then 0 else ${t.createdTime} end`,
    ),
  ],
);

/** The relay's mirror of MLflow's runs; `streamId` links a run to the trial or model run it belongs to. */
export const mlflowRuns = sqliteTable(
  "mlflow_runs",
  {
    mlflowRunId: text("mlflow_run_id").primaryKey(),
    mlflowExperimentId: text("mlflow_experiment_id").notNull(),
    streamId: integer("stream_id").unique(),
    runName: text("run_name"),
    status: text({ enum: RUN_STATUSES }).notNull(),
    startTime: integer("start_time"),
    endTime: integer("end_time"),
    lifecycleStage: text("lifecycle_stage", { enum: LIFECYCLE_STAGES }).notNull(),
    artifactUri: text("artifact_uri"),
    syncedAt: integer("synced_at").notNull(),
    userId: text("user_id"),
    /** JSON of `MirroredData`: parameters, tags, latest metrics and inputs; null until the run was pulled. */
    data: text(),
    /** Of all that was pulled but the metrics, and of the metrics: a run that did not change is not written again. */
    hash: text(),
    metricsHash: text("metrics_hash"),
    /** Linked, and its changes were written down here but are still to be merged. */
    unmerged: integer({ mode: "boolean" }).notNull().default(false),
    /** When it is to be followed, which a look has found: 0 where that was not tried yet; null: there is nothing to do. */
    followAt: integer("follow_at"),
    /** When an attempt was last begun, or was over, and JSON of `Counts`: what came of it. */
    followedAt: integer("followed_at"),
    followed: text(),
    /** Attempts in a row of which no word came, or late and of nothing, 3 at most; 1 while the first is under way. */
    followHangs: integer("follow_hangs").notNull().default(0),
    /** When MLflow was seen not to know it any more: it was deleted for good. */
    goneAt: integer("gone_at"),
    /** The ids in Thunderline's tags, by which a run is linked to its trial. */
    taggedTrialId: text("tagged_trial_id"),
    taggedModelRunId: text("tagged_model_run_id"),
    /** The trial that has another run already. */
    doubleOf: integer("double_of"),
  },
  (t) => [
    index("mlflow_runs_experiment").on(t.mlflowExperimentId, t.startTime, t.mlflowRunId),
    index("mlflow_runs_started").on(t.startTime, t.mlflowRunId),
    // Of what is seldom, so that it is found among many others: all of them, and those of an experiment.
    index("mlflow_runs_deleted")
      .on(t.lifecycleStage, t.startTime, t.mlflowRunId)
      .where(sql`${t.lifecycleStage} = 'deleted'`),
    index("mlflow_runs_deleted_in")
      .on(t.mlflowExperimentId, t.lifecycleStage, t.startTime, t.mlflowRunId)
      .where(sql`${t.lifecycleStage} = 'deleted'`),
    index("mlflow_runs_failed")
      .on(t.status, t.startTime, t.mlflowRunId)
      .where(sql`${t.status} in ('FAILED', 'KILLED')`),
    index("mlflow_runs_failed_in")
      .on(t.mlflowExperimentId, t.status, t.startTime, t.mlflowRunId)
      .where(sql`${t.status} in ('FAILED', 'KILLED')`),
    index("mlflow_runs_open").on(t.streamId).where(sql`${t.status} in ('RUNNING', 'SCHEDULED')`),
    index("mlflow_runs_tagged")
      .on(t.taggedTrialId, t.taggedModelRunId)
      .where(sql`${t.taggedTrialId} is not null or ${t.taggedModelRunId} is not null`),
    index("mlflow_runs_to_follow")
      .on(t.followAt, t.followHangs, t.followedAt)
      .where(sql`${t.followAt} is not null`),
    index("mlflow_runs_untried").on(t.mlflowExperimentId, t.followedAt).where(sql`${t.followAt} = 0`),
    index("mlflow_runs_followed").on(t.followedAt).where(sql`${t.followedAt} is not null`),
  ],
);

/** Metric histories read from MLflow on demand, in pages; they grow old. WITHOUT ROWID. */
export const historyPages = sqliteTable(
  "history_pages",
  {
    mlflowRunId: text("mlflow_run_id").notNull(),
    key: text().notNull(),
    page: integer().notNull(),
    /** JSON: [step, timestamp, value] each. */
    points: text().notNull(),
    readAt: integer("read_at").notNull(),
  },
  (t) => [primaryKey({ columns: [t.mlflowRunId, t.key, t.page] }), index("history_pages_read").on(t.readAt)],
);
