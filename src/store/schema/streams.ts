import { sql } from "drizzle-orm";
import { index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { BLOCKED_KINDS } from "../../domain/blocked.ts";
import { STREAM_KINDS } from "../../domain/words.ts";

/**
 * The streams that called MLflow last, a few: whoever has a place among the callers (`streams.callingUntil`) is here, so
 * that they are counted without an index that each call would write. A stream stays until another takes its number.
 */
export const callers = sqliteTable("callers", {
  n: integer().primaryKey(),
  streamId: integer("stream_id").notNull(),
});

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
    /** What a fold moves with every metric, and the folded row has only from when something else of it changed. */
    maxStep: integer("max_step"),
    heardSeq: integer("heard_seq").notNull().default(0),
    plannedSeq: integer("planned_seq").notNull().default(0),
    deliveredSeq: integer("delivered_seq").notNull().default(0),
    deliveredAt: integer("delivered_at"),
    /**
     * Something came or went a while ago at most, or is still to go or to be seen in MLflow: triggers set it, the cron
     * takes it away. What is looked for among the few is in an index of the warm ones, which an event does not write.
     */
    warm: integer({ mode: "boolean" }).notNull().default(false),
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
    /**
     * A small batch of points that is just sent for the first time, its token and its items: it comes and goes with this
     * row, which is written anyway. Whoever claims the stream next finds it among `batches`.
     */
    sendingToken: text("sending_token"),
    sendingItems: text("sending_items"),
  },
  (t) => [
    index("streams_warm").on(t.id).where(sql`${t.warm} = 1`),
    index("streams_experiment").on(t.mlflowExperimentId).where(sql`${t.mlflowExperimentId} is not null`),
    // To go from one model run of an experiment to the next, past its trials.
    index("streams_experiment_model_run")
      .on(t.mlflowExperimentId, t.modelRunId)
      .where(sql`${t.mlflowExperimentId} is not null and ${t.modelRunId} is not null`),
    index("streams_blocked").on(t.id).where(sql`${t.blockedKind} is not null`),
    index("streams_unpruned").on(t.createdAt).where(sql`${t.prunedAt} is null`),
    index("streams_pruned_before")
      .on(t.id)
      .where(sql`${t.prunedAt} < coalesce(${t.deliveredAt}, ${t.updatedAt})`),
    index("streams_pruning").on(t.id).where(sql`${t.pruningSeq} is not null`),
    index("streams_forget").on(t.forgetAt).where(sql`${t.forgetAt} is not null`),
    index("streams_recheck").on(t.recheckAt).where(sql`${t.recheckAt} is not null`),
    uniqueIndex("streams_mlflow_run").on(t.mlflowRunId).where(sql`${t.mlflowRunId} is not null`),
  ],
);
