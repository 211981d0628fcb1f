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
import { BLOCKED_KINDS } from "../domain/blocked.ts";
import {
  BREAKER_STATES,
  CONFLICT_KINDS,
  CONFLICT_SOURCES,
  CONFLICT_STATES,
  JOB_ACTIONS,
  JOB_ORIGINS,
  JOB_STATES,
  LETTER_KINDS,
  LETTER_STATES,
  LIFECYCLE_STAGES,
  MODEL_RUN_STATES,
  RUN_STATUSES,
  SIDES,
  STREAM_KINDS,
  TRIAL_STATUSES,
  VERDICTS,
} from "../domain/words.ts";

/**
 * The tables. Times are epoch milliseconds. `seq` is the order of acceptance, given by the database.
 * Tables marked WITHOUT ROWID in the migration are clustered by their primary key, which halves the
 * rows written; Drizzle cannot say so, so it was added to the generated SQL by hand.
 */

/** A metric value as stored: a number, or the text NaN, Infinity or -Infinity. No column affinity. */
const metricValue = customType<{ data: number | string }>({ dataType: () => "blob" });

/** One journal per trial or model run, and how far it has come on its way to MLflow. */
export const streams = sqliteTable(
  "streams",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    /** Public id: 32 hex digits derived from the trainer's own ids, so that no look-up is needed to find it. */
    key: text().notNull().unique(),
    kind: text({ enum: STREAM_KINDS }).notNull(),
    modelRunId: text("model_run_id"),
    trialId: text("trial_id"),
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
    /** Watermarks: accepted, folded into the query tables, written into batches, in MLflow. */
    lastSeq: integer("last_seq").notNull().default(0),
    foldedSeq: integer("folded_seq").notNull().default(0),
    plannedSeq: integer("planned_seq").notNull().default(0),
    deliveredSeq: integer("delivered_seq").notNull().default(0),
    deliveredAt: integer("delivered_at"),
    pokedUntil: integer("poked_until").notNull().default(0),
    /** When the trainer was last heard of, by acceptance. */
    heardAt: integer("heard_at").notNull().default(0),
    /** When the points were pruned here, because MLflow was seen to have them all. */
    prunedAt: integer("pruned_at"),
    /** Up to where it is being pruned; null when nothing of that is left to do. */
    pruningSeq: integer("pruning_seq"),
    /** When pruning it is tried again, after it could not be read back. */
    pruneAt: integer("prune_at"),
    /** Up to where it was pruned: of those events only what tells a repeat is left. */
    prunedSeq: integer("pruned_seq").notNull().default(0),
    /** When what was pruned is forgotten. */
    forgetAt: integer("forget_at"),
    leaseToken: text("lease_token"),
    leaseUntil: integer("lease_until").notNull().default(0),
    /** Until when its holder has a place among those that may call MLflow at once; null between calls. */
    callingUntil: integer("calling_until"),
    attempts: integer().notNull().default(0),
    nextAttemptAt: integer("next_attempt_at").notNull().default(0),
    waitingFor: text("waiting_for", { enum: ["grace", "parent", "retry", "breaker"] }),
    /** Why it stands still, what it waits for, and the same in words for people: all null while it does not. */
    blockedKind: text("blocked_kind", { enum: BLOCKED_KINDS }),
    blockedOn: text("blocked_on"),
    blockedReason: text("blocked_reason"),
    lastError: text("last_error"),
    /** Set by an operator's request; delivers this stream although automatic delivery is off. */
    forced: integer({ mode: "boolean" }).notNull().default(false),
    /**
     * The intent to create a run: `createSentAt` without `mlflowRunId` means the answer is not known. With it, the trials
     * that had runs before their model run are still to be nested.
     */
    createNonce: text("create_nonce"),
    createSentAt: integer("create_sent_at"),
    /** JSON of `Doubt`: the write to MLflow of which nobody has heard the end, and until when it may still land. */
    doubt: text(),
    fenceUntil: integer("fence_until"),
    /** JSON of `Unconfirmed[]`: batches that MLflow answered to have, and that were not seen in the run yet. */
    unconfirmed: text(),
    /** When to look once more for a second run with our nonce, after a create. */
    recheckAt: integer("recheck_at"),
    /** The experiment that the run was made in, by name and MLflow's id: a run cannot move later. */
    experimentName: text("experiment_name"),
    mlflowExperimentId: text("mlflow_experiment_id"),
    mlflowRunId: text("mlflow_run_id"),
    adopted: integer({ mode: "boolean" }).notNull().default(false),
    /** JSON of the run state (status, end time, name) that MLflow last took from us. */
    sentState: text("sent_state"),
  },
  (t) => [
    index("streams_behind").on(t.nextAttemptAt).where(sql`${t.deliveredSeq} < ${t.lastSeq}`),
    index("streams_calling").on(t.callingUntil).where(sql`${t.callingUntil} is not null`),
    index("streams_experiment").on(t.mlflowExperimentId).where(sql`${t.mlflowExperimentId} is not null`),
    index("streams_blocked").on(t.id).where(sql`${t.blockedKind} is not null`),
    index("streams_unpruned").on(t.createdAt).where(sql`${t.prunedAt} is null`),
    index("streams_pruned_before")
      .on(t.id)
      .where(sql`${t.prunedAt} < coalesce(${t.deliveredAt}, ${t.updatedAt})`),
    index("streams_pruning").on(t.id).where(sql`${t.pruningSeq} is not null`),
    index("streams_forget").on(t.forgetAt).where(sql`${t.forgetAt} is not null`),
    index("streams_unconfirmed").on(t.id).where(sql`${t.unconfirmed} is not null`),
    index("streams_recheck").on(t.recheckAt).where(sql`${t.recheckAt} is not null`),
    uniqueIndex("streams_mlflow_run").on(t.mlflowRunId).where(sql`${t.mlflowRunId} is not null`),
  ],
);

/**
 * The journal: append only. Metric points live beside it, one row a point. WITHOUT ROWID, so that an event is found by
 * its place and by its id for two rows written. `tallies` has the last `seq` as `journal.seq`.
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

/** Every metric point once, in order of acceptance. WITHOUT ROWID. NaN and infinities are text. */
export const metricPoints = sqliteTable(
  "metric_points",
  {
    streamId: integer("stream_id").notNull(),
    seq: integer().notNull(),
    n: integer().notNull(),
    key: text().notNull(),
    step: integer().notNull(),
    timestamp: integer().notNull(),
    value: metricValue().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.streamId, t.seq, t.n] }),
    uniqueIndex("metric_points_point").on(t.streamId, t.key, t.step, t.timestamp, t.value),
  ],
);

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

/**
 * Intents: the exact items of a log-batch, stored before the call and deleted when MLflow has them. `n`: their order
 * within the stream. WITHOUT ROWID.
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
    requestedRunId: text("requested_run_id"),
    durationMs: integer("duration_ms"),
    rank: integer(),
    startedAt: integer("started_at"),
    endedAt: integer("ended_at"),
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
    /** JSON of `Core`: the rest of the fold state. */
    core: text(),
  },
  (t) => [
    index("trials_model_run").on(t.modelRunId, t.id),
    index("trials_trial").on(t.trialId),
    index("trials_status").on(t.status, t.id),
    index("trials_updated").on(t.updatedAt, t.id),
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
  ],
);

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
  },
  (t) => [index("mlflow_experiments_name").on(t.name)],
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
    /** When MLflow was seen not to know it any more: it was deleted for good. */
    goneAt: integer("gone_at"),
    /** The ids in Thunderline's tags, by which a run is linked to its trial. */
    taggedTrialId: text("tagged_trial_id"),
    taggedModelRunId: text("tagged_model_run_id"),
    /** The trial that has another run already. */
    doubleOf: integer("double_of"),
  },
  (t) => [
    index("mlflow_runs_experiment").on(t.mlflowExperimentId),
    index("mlflow_runs_started").on(t.startTime, t.mlflowRunId),
    index("mlflow_runs_open").on(t.streamId).where(sql`${t.status} in ('RUNNING', 'SCHEDULED')`),
    index("mlflow_runs_tagged").on(t.taggedTrialId, t.taggedModelRunId),
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
  ],
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
  ],
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

/**
 * How many there are of what piles up, by name (`trials.running`, `streams.trial`, `conflicts.open.param`, ...), so that
 * nobody need count them. Triggers keep them with every change, in the same statement; a migration that makes one of
 * their tables anew must make its triggers anew as well.
 */
export const tallies = sqliteTable("tallies", {
  name: text().primaryKey(),
  value: integer().notNull(),
});

/** The same of each model run's trials by status. */
export const trialCounts = sqliteTable("trial_counts", {
  modelRunId: text("model_run_id").primaryKey(),
  running: integer().notNull().default(0),
  succeeded: integer().notNull().default(0),
  failed: integer().notNull().default(0),
  skipped: integer().notNull().default(0),
  cancelled: integer().notNull().default(0),
});

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
