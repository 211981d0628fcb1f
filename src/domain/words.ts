/** The closed vocabularies that the tables hold and the API shows. */

export const EVENT_TYPES = [
  "ml.run.start",
  "ml.run.stop",
  "ml.run.metric",
  "ml.trial.start",
  "ml.trial.complete",
  "ml.trial.failed",
  "ml.trial.skipped",
  "ml.trial.cancelled",
  "ml.artifact.created",
  "ml.artifact.promoted",
  "ml.artifact.archived",
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** What the relay itself finds out about a trial goes through the journal too, so that the fold stays the one truth. */
export const RELAY_EVENT_TYPES = [
  "relay.trial.quiet",
  "relay.trial.orphaned",
  "relay.replay",
  "relay.parent",
  "relay.resolve",
  "relay.mlflow",
  "relay.summary",
] as const;
export type RelayEventType = (typeof RELAY_EVENT_TYPES)[number];

/** What an MLflow client says through the gateway. These have no time but that of acceptance, and go by order of acceptance. */
export const GATEWAY_EVENT_TYPES = [
  "mlflow.run.create",
  "mlflow.run.adopt",
  "mlflow.run.update",
  "mlflow.run.lifecycle",
  "mlflow.log",
  "mlflow.tag",
  "mlflow.run.inputs",
  "mlflow.run.outputs",
] as const;
export type GatewayEventType = (typeof GATEWAY_EVENT_TYPES)[number];

/** What became of a model that a trial made. */
export const MODEL_ARTIFACT_STATUSES = ["created", "promoted", "archived"] as const;
export type ModelArtifactStatus = (typeof MODEL_ARTIFACT_STATUSES)[number];

export const STREAM_KINDS = ["trial", "model_run"] as const;

/** How far a trial or model run is on its way to MLflow. */
export const SYNC_STATES = ["pending", "waiting", "blocked", "synced"] as const;
export type SyncState = (typeof SYNC_STATES)[number];

export const TERMINAL_STATUSES = ["succeeded", "failed", "skipped", "cancelled"] as const;
export type TerminalStatus = (typeof TERMINAL_STATUSES)[number];
export const TRIAL_STATUSES = ["running", ...TERMINAL_STATUSES] as const;
export const MODEL_RUN_STATES = ["initialized", "running", "succeeded", "failed", "cancelled"] as const;
export type ModelRunState = (typeof MODEL_RUN_STATES)[number];

/** What became of an event. */
export const LEDGER_STATES = [
  "accepted",
  "planned",
  "delivered",
  "confirmed",
  "conflicting",
  "dead",
] as const;
export type LedgerState = (typeof LEDGER_STATES)[number];

export const VERDICTS = ["confirmed", "differs"] as const;

/** MLflow's own words for the status of a run, and for whether it or an experiment is deleted. */
export const RUN_STATUSES = ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];
export const LIFECYCLE_STAGES = ["active", "deleted"] as const;
export type LifecycleStage = (typeof LIFECYCLE_STAGES)[number];

/** MLflow's own words for how far a logged model is, numbered from 1 in its protocol. */
export const MODEL_STATUSES = [
  "LOGGED_MODEL_PENDING",
  "LOGGED_MODEL_READY",
  "LOGGED_MODEL_UPLOAD_FAILED",
] as const;
export type ModelStatus = (typeof MODEL_STATUSES)[number];
/** What a run has to do with a logged model: it was given it, or made it. */
export const MODEL_TIES = ["input", "output"] as const;
export type ModelTie = (typeof MODEL_TIES)[number];

export const JOB_ACTIONS = [
  "sync_trial_to_mlflow",
  "sync_mlflow_to_trial",
  "sync_experiment",
  "create_run",
] as const;
export type JobAction = (typeof JOB_ACTIONS)[number];
export const JOB_STATES = ["queued", "running", "succeeded", "failed", "cancelled"] as const;
export type JobState = (typeof JOB_STATES)[number];
export const JOB_ORIGINS = ["request", "cron"] as const;

export const CONFLICT_KINDS = [
  "param",
  "experiment",
  "run_id",
  "double_run",
  "name",
  "status",
  "tag",
  "description",
] as const;
/** Who said what was refused. */
export const CONFLICT_SOURCES = ["journal", "mlflow"] as const;
export const CONFLICT_STATES = ["open", "resolved"] as const;
/** Whose value is taken. */
export const SIDES = ["relay", "mlflow"] as const;
export type Side = (typeof SIDES)[number];

export const LETTER_KINDS = ["metric", "param", "tag", "status", "message"] as const;
export const LETTER_STATES = ["open", "replayed", "dropped"] as const;

export const BREAKER_STATES = ["closed", "open"] as const;

/** What a token may do. `admin` includes the others. */
export const SCOPES = ["ingest", "read", "admin"] as const;
export type Scope = (typeof SCOPES)[number];
