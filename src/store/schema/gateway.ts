import { type SQL, sql } from "drizzle-orm";
import { index, integer, primaryKey, type SQLiteColumn, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { LIFECYCLE_STAGES, MODEL_STATUSES, MODEL_TIES, RUN_STATUSES } from "../../domain/words.ts";
import { metricValue } from "./journal.ts";

/** What MLflow's own clients see: runs and experiments under the ids that they were given first. */

/** By which searches order runs. Without a comma: drizzle-kit would take it for two columns. */
function shownStart(t: Record<"startTime" | "createdAt", SQLiteColumn>): SQL {
  return sql`case when ${t.startTime} is null then ${t.createdAt} else ${t.startTime} end`;
}

/**
 * A run that an MLflow client made or wrote to, beside its stream. `runId` is the id that they
 * were given first: the stream's key, or MLflow's. The fold writes what it
 * says of its state; `lifecycle` is written with the very request, and follows what is seen in MLflow.
 */
export const gatewayRuns = sqliteTable(
  "gateway_runs",
  {
    streamId: integer("stream_id").primaryKey(),
    runId: text("run_id").notNull(),
    /** The experiment's first id: minted here, or MLflow's. */
    experimentId: text("experiment_id").notNull(),
    runName: text("run_name"),
    userId: text("user_id"),
    status: text({ enum: RUN_STATUSES }).notNull().default("RUNNING"),
    startTime: integer("start_time"),
    endTime: integer("end_time"),
    lifecycle: text({ enum: LIFECYCLE_STAGES }).notNull().default("active"),
    artifactUri: text("artifact_uri").notNull(),
    createdAt: integer("created_at").notNull(),
    /** When its id was first used after it was made; null: its maker may never have heard of it. */
    touchedAt: integer("touched_at"),
    /** Of the request that made it, to tell a twin; null where it was adopted, or was found to be a ghost. */
    createHash: text("create_hash"),
  },
  (t) => [
    index("gateway_runs_listed").on(t.experimentId, shownStart(t), t.runId),
    index("gateway_runs_deleted")
      .on(t.experimentId, shownStart(t), t.runId)
      .where(sql`${t.lifecycle} = 'deleted'`),
    index("gateway_runs_open").on(t.experimentId).where(sql`${t.status} in ('RUNNING', 'SCHEDULED')`),
    index("gateway_runs_twins")
      .on(t.createHash, t.createdAt)
      .where(sql`${t.createHash} is not null and ${t.touchedAt} is not null`),
  ],
);

/**
 * An experiment that an MLflow client made, or used by its id: what it is to be, and how much of that MLflow has. Two of
 * them may share one of MLflow's, where a name was made here while MLflow had it.
 */
export const gatewayExperiments = sqliteTable(
  "gateway_experiments",
  {
    /** 18 digits from 9 on where it was minted here, else MLflow's. */
    id: text().primaryKey(),
    mlflowExperimentId: text("mlflow_experiment_id"),
    name: text().notNull(),
    artifactLocation: text("artifact_location").notNull(),
    lifecycle: text({ enum: LIFECYCLE_STAGES }).notNull().default("active"),
    /** JSON of its tags by key. */
    tags: text().notNull().default("{}"),
    createdTime: integer("created_time").notNull(),
    updatedTime: integer("updated_time").notNull(),
    /** Counts its changes here, and which of them MLflow has. */
    version: integer().notNull().default(0),
    deliveredVersion: integer("delivered_version").notNull().default(0),
    /** JSON of the name, lifecycle and tags that MLflow last took; null before it was made there. */
    sent: text(),
    leaseToken: text("lease_token"),
    leaseUntil: integer("lease_until").notNull().default(0),
    attempts: integer().notNull().default(0),
    nextAttemptAt: integer("next_attempt_at").notNull().default(0),
    lastError: text("last_error"),
  },
  (t) => [
    index("gateway_experiments_name").on(t.name),
    index("gateway_experiments_created").on(t.createdTime),
    index("gateway_experiments_mlflow")
      .on(t.mlflowExperimentId)
      .where(sql`${t.mlflowExperimentId} is not null`),
    index("gateway_experiments_behind").on(t.nextAttemptAt).where(sql`${t.deliveredVersion} < ${t.version}`),
  ],
);

/** The datasets that runs were given, each once a run, on their way to MLflow. */
export const gatewayInputs = sqliteTable(
  "gateway_inputs",
  {
    streamId: integer("stream_id").notNull(),
    /** Of the dataset's name and digest, by which MLflow knows it. */
    digest: text().notNull(),
    /** JSON of the dataset and its tags, as MLflow's clients say and read it. */
    body: text().notNull(),
    isDelivered: integer("is_delivered").notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.streamId, t.digest] })],
);

/**
 * A logged model that an MLflow client made, or used by its id: what it is to be, and how much of that MLflow has. `n`: its
 * files are in `artifacts` under the negative of it.
 */
export const gatewayModels = sqliteTable(
  "gateway_models",
  {
    n: integer().primaryKey({ autoIncrement: true }),
    /** The id that was given first, by MLflow where it had the model first: `m-` and 32 hex digits. */
    id: text().notNull().unique(),
    mlflowId: text("mlflow_id"),
    /** Where its files are for its clients, and in MLflow. */
    artifactUri: text("artifact_uri").notNull(),
    mlflowRoot: text("mlflow_root"),
    /** First ids. */
    experimentId: text("experiment_id").notNull(),
    sourceRunId: text("source_run_id"),
    name: text().notNull(),
    modelType: text("model_type").notNull(),
    status: text({ enum: MODEL_STATUSES }).notNull().default("LOGGED_MODEL_PENDING"),
    lifecycle: text({ enum: LIFECYCLE_STAGES }).notNull().default("active"),
    /** JSON of its tags and of its parameters, by key. */
    tags: text().notNull().default("{}"),
    params: text().notNull().default("{}"),
    createdTime: integer("created_time").notNull(),
    updatedTime: integer("updated_time").notNull(),
    /** When its id was first used after it was made; null: its maker may never have heard of it. */
    touchedAt: integer("touched_at"),
    /** Of the request that made it, to tell a twin; null where it was adopted, or was found to be a ghost. */
    createHash: text("create_hash"),
    /** Counts its changes here, and which of them MLflow has. */
    version: integer().notNull().default(0),
    deliveredVersion: integer("delivered_version").notNull().default(0),
    /** JSON of the status, lifecycle, tags and parameters that MLflow last took. */
    sent: text(),
    /** When MLflow was asked to make it; without `mlflowId` the answer is not known. */
    createSentAt: integer("create_sent_at"),
    /** When to see whether MLflow has its points, so that they need not stay here; null: there are none to go. */
    pointsDueAt: integer("points_due_at"),
    /** Since when some of its points are in MLflow only. */
    pointsPrunedAt: integer("points_pruned_at"),
    leaseToken: text("lease_token"),
    leaseUntil: integer("lease_until").notNull().default(0),
    attempts: integer().notNull().default(0),
    nextAttemptAt: integer("next_attempt_at").notNull().default(0),
    lastError: text("last_error"),
  },
  (t) => [
    index("gateway_models_mlflow").on(t.mlflowId).where(sql`${t.mlflowId} is not null`),
    index("gateway_models_listed").on(t.experimentId, t.createdTime),
    index("gateway_models_behind").on(t.nextAttemptAt).where(sql`${t.deliveredVersion} < ${t.version}`),
    index("gateway_models_points_due").on(t.pointsDueAt).where(sql`${t.pointsDueAt} is not null`),
  ],
);

/** The logged models that a run was given or made, each once a run, on their way to MLflow. */
export const gatewayModelLinks = sqliteTable(
  "gateway_model_links",
  {
    modelId: text("model_id").notNull(),
    streamId: integer("stream_id").notNull(),
    kind: text({ enum: MODEL_TIES }).notNull(),
    step: integer().notNull().default(0),
    isDelivered: integer("is_delivered").notNull().default(0),
  },
  (t) => [
    primaryKey({ columns: [t.modelId, t.streamId, t.kind] }),
    index("gateway_model_links_run").on(t.streamId),
    index("gateway_model_links_behind").on(t.modelId).where(sql`${t.isDelivered} = 0`),
  ],
);

/**
 * A point of a run that is a model's as well. Of one model, key, time and step a run has one point, and the first stands,
 * as in MLflow. `seq`: the event that it came with.
 */
export const gatewayModelPoints = sqliteTable(
  "gateway_model_points",
  {
    modelId: text("model_id").notNull(),
    key: text().notNull(),
    timestamp: integer().notNull(),
    step: integer().notNull(),
    streamId: integer("stream_id").notNull(),
    seq: integer().notNull(),
    value: metricValue().notNull(),
    datasetName: text("dataset_name"),
    datasetDigest: text("dataset_digest"),
    isDelivered: integer("is_delivered").notNull().default(0),
  },
  (t) => [
    primaryKey({ columns: [t.modelId, t.key, t.timestamp, t.step, t.streamId] }),
    index("gateway_model_points_behind").on(t.modelId, t.streamId, t.seq).where(sql`${t.isDelivered} = 0`),
  ],
);
