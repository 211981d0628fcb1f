import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { MODEL_RUN_STATES, TRIAL_STATUSES } from "../../domain/words.ts";
import { metricValue } from "./journal.ts";

/** Last, least and greatest value by key. WITHOUT ROWID. */
export const metricSummaries = sqliteTable(
  "metric_summaries",
  {
    streamId: integer("stream_id").notNull(),
    key: text().notNull(),
    last: metricValue().notNull(),
    /** Null: the metric of a terminal event without a step, which comes after every step. */
    lastStep: integer("last_step"),
    lastTimestamp: integer("last_timestamp").notNull(),
    min: metricValue(),
    max: metricValue(),
    count: integer().notNull(),
  },
  (t) => [primaryKey({ columns: [t.streamId, t.key] })],
);

/** The first accepted value of each parameter. WITHOUT ROWID. */
export const params = sqliteTable(
  "params",
  {
    streamId: integer("stream_id").notNull(),
    key: text().notNull(),
    value: text().notNull(),
    seq: integer().notNull(),
  },
  (t) => [primaryKey({ columns: [t.streamId, t.key] })],
);

/** The latest value of each tag, by event time, then event id. WITHOUT ROWID. */
export const tags = sqliteTable(
  "tags",
  {
    streamId: integer("stream_id").notNull(),
    key: text().notNull(),
    value: text().notNull(),
    at: integer().notNull(),
    eventId: text("event_id").notNull(),
    seq: integer().notNull(),
    /** When it was seen to be taken away in MLflow; null while it is there. */
    removedAt: integer("removed_at"),
  },
  (t) => [primaryKey({ columns: [t.streamId, t.key] })],
);

/** The folded trial: what lists and searches read. `id` is the stream's. */
export const trials = sqliteTable(
  "trials",
  {
    id: integer().primaryKey(),
    key: text().notNull().unique(),
    modelRunId: text("model_run_id"),
    trialId: text("trial_id").notNull(),
    status: text({ enum: TRIAL_STATUSES }).notNull().default("running"),
    /** When the trainer was last heard before contact was found lost; null while it is heard. */
    lostContactAt: integer("lost_contact_at"),
    announced: integer({ mode: "boolean" }).notNull().default(false),
    spectralNorm: integer("spectral_norm", { mode: "boolean" }),
    runName: text("run_name"),
    experimentName: text("experiment_name"),
    /** As its stream has it, kept by triggers: to find those of one status in an experiment. */
    mlflowExperimentId: text("mlflow_experiment_id"),
    requestedRunId: text("requested_run_id"),
    durationMs: integer("duration_ms"),
    rank: integer(),
    startedAt: integer("started_at"),
    endedAt: integer("ended_at"),
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
    /**
     * It changed a while ago at most: as of streams, but a longer while as long as it goes on. Until then its last change is
     * the later one of its own and its stream's; the others are in an index by it.
     */
    warm: integer({ mode: "boolean" }).notNull().default(false),
    /** JSON of `Core`: the rest of the fold state. */
    core: text(),
  },
  (t) => [
    index("trials_model_run").on(t.modelRunId, t.id),
    index("trials_trial").on(t.trialId),
    index("trials_status").on(t.status, t.id),
    index("trials_experiment")
      .on(t.mlflowExperimentId, t.status, t.id)
      .where(sql`${t.mlflowExperimentId} is not null`),
    index("trials_warm").on(t.id).where(sql`${t.warm} = 1`),
    // What a list is sorted by, of each status for itself, since a list may be of one of them, which may be seldom: written
    // once a trial is over, not with its events, unless they are an hour apart.
    index("trials_cold_updated").on(t.status, t.updatedAt, t.id).where(sql`${t.warm} = 0`),
    index("trials_cold_started").on(t.status, t.startedAt, t.id).where(sql`${t.warm} = 0`),
    index("trials_cold_ended").on(t.status, t.endedAt, t.id).where(sql`${t.warm} = 0`),
    index("trials_cold_duration").on(t.status, t.durationMs, t.id).where(sql`${t.warm} = 0`),
    index("trials_cold_rank").on(t.status, t.rank, t.id).where(sql`${t.warm} = 0`),
  ],
);

/** The folded model run. `id` is the stream's. */
export const modelRuns = sqliteTable(
  "model_runs",
  {
    id: integer().primaryKey(),
    modelRunId: text("model_run_id").notNull().unique(),
    state: text({ enum: MODEL_RUN_STATES }).notNull().default("initialized"),
    announced: integer({ mode: "boolean" }).notNull().default(false),
    runName: text("run_name"),
    experimentName: text("experiment_name"),
    requestedTrials: integer("requested_trials"),
    completedTrials: integer("completed_trials"),
    searchSpaceVersion: integer("search_space_version"),
    maxParams: integer("max_params"),
    bestMetric: metricValue("best_metric"),
    bestTrialId: text("best_trial_id"),
    startedAt: integer("started_at"),
    endedAt: integer("ended_at"),
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
    core: text(),
  },
  (t) => [
    index("model_runs_updated").on(t.updatedAt, t.id),
    index("model_runs_open").on(t.id).where(sql`${t.state} in ('initialized', 'running')`),
    index("model_runs_failed").on(t.state, t.id).where(sql`${t.state} in ('failed', 'cancelled')`),
  ],
);
