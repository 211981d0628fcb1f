CREATE TABLE `api_tokens` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`hash` text NOT NULL,
	`scopes` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer,
	`revoked_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `api_tokens_hash_unique` ON `api_tokens` (`hash`);--> statement-breakpoint
CREATE TABLE `batches` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`stream_id` integer NOT NULL,
	`token` text NOT NULL,
	`items` text NOT NULL,
	`sent_at` integer,
	`attempts` integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE INDEX `batches_stream` ON `batches` (`stream_id`);--> statement-breakpoint
CREATE TABLE `breakers` (
	`server` text PRIMARY KEY NOT NULL,
	`state` text DEFAULT 'closed' NOT NULL,
	`failures` integer DEFAULT 0 NOT NULL,
	`probes` integer DEFAULT 0 NOT NULL,
	`opened_at` integer,
	`probe_at` integer DEFAULT 0 NOT NULL,
	`next_call_at` integer DEFAULT 0 NOT NULL,
	`alarm` integer DEFAULT false NOT NULL,
	`last_error` text,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `conflicts` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`stream_id` integer NOT NULL,
	`kind` text NOT NULL,
	`field` text NOT NULL,
	`kept` text,
	`refused` text NOT NULL,
	`source` text NOT NULL,
	`event_id` text,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `conflicts_once` ON `conflicts` (`stream_id`,`kind`,`field`,`refused`);--> statement-breakpoint
CREATE TABLE `counters` (
	`name` text PRIMARY KEY NOT NULL,
	`value` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `cron_passes` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`started_at` integer NOT NULL,
	`finished_at` integer NOT NULL,
	`report` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `dead_letters` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`stream_id` integer,
	`kind` text NOT NULL,
	`item` text NOT NULL,
	`reason` text NOT NULL,
	`mlflow_status` integer,
	`mlflow_code` text,
	`state` text DEFAULT 'open' NOT NULL,
	`created_at` integer NOT NULL,
	`settled_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `dead_letters_once` ON `dead_letters` (`stream_id`,`kind`,`item`);--> statement-breakpoint
CREATE INDEX `dead_letters_state` ON `dead_letters` (`state`,`id`);--> statement-breakpoint
CREATE TABLE `events` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`stream_id` integer NOT NULL,
	`event_id` text NOT NULL,
	`type` text NOT NULL,
	`hash` text NOT NULL,
	`occurred_at` integer NOT NULL,
	`accepted_at` integer NOT NULL,
	`correlation_id` text NOT NULL,
	`facts` text,
	`points` integer DEFAULT 0 NOT NULL,
	`repeats` integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `events_identity` ON `events` (`stream_id`,`event_id`);--> statement-breakpoint
CREATE INDEX `events_stream` ON `events` (`stream_id`);--> statement-breakpoint
CREATE TABLE `locks` (
	`name` text PRIMARY KEY NOT NULL,
	`token` text NOT NULL,
	`until` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `metric_points` (
	`stream_id` integer NOT NULL,
	`seq` integer NOT NULL,
	`n` integer NOT NULL,
	`key` text NOT NULL,
	`step` integer NOT NULL,
	`timestamp` integer NOT NULL,
	`value` blob NOT NULL,
	PRIMARY KEY(`stream_id`, `seq`, `n`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `metric_points_point` ON `metric_points` (`stream_id`,`key`,`step`,`timestamp`,`value`);--> statement-breakpoint
CREATE TABLE `metric_summaries` (
	`stream_id` integer NOT NULL,
	`key` text NOT NULL,
	`last` blob NOT NULL,
	`last_step` integer,
	`last_timestamp` integer NOT NULL,
	`min` blob,
	`max` blob,
	`count` integer NOT NULL,
	PRIMARY KEY(`stream_id`, `key`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `mlflow_experiments` (
	`mlflow_experiment_id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`artifact_location` text,
	`lifecycle_stage` text NOT NULL,
	`synced_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `mlflow_experiments_name` ON `mlflow_experiments` (`name`);--> statement-breakpoint
CREATE TABLE `mlflow_runs` (
	`mlflow_run_id` text PRIMARY KEY NOT NULL,
	`mlflow_experiment_id` text NOT NULL,
	`stream_id` integer,
	`run_name` text,
	`status` text NOT NULL,
	`start_time` integer,
	`end_time` integer,
	`lifecycle_stage` text NOT NULL,
	`artifact_uri` text,
	`synced_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `mlflow_runs_stream_id_unique` ON `mlflow_runs` (`stream_id`);--> statement-breakpoint
CREATE INDEX `mlflow_runs_experiment` ON `mlflow_runs` (`mlflow_experiment_id`);--> statement-breakpoint
CREATE INDEX `mlflow_runs_started` ON `mlflow_runs` (`start_time`,`mlflow_run_id`);--> statement-breakpoint
CREATE TABLE `model_runs` (
	`id` integer PRIMARY KEY NOT NULL,
	`model_run_id` text NOT NULL,
	`state` text DEFAULT 'initialized' NOT NULL,
	`announced` integer DEFAULT false NOT NULL,
	`run_name` text,
	`experiment_name` text,
	`requested_trials` integer,
	`completed_trials` integer,
	`search_space_version` integer,
	`max_params` integer,
	`best_metric` blob,
	`best_trial_id` text,
	`started_at` integer,
	`ended_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`core` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `model_runs_model_run_id_unique` ON `model_runs` (`model_run_id`);--> statement-breakpoint
CREATE INDEX `model_runs_updated` ON `model_runs` (`updated_at`,`id`);--> statement-breakpoint
CREATE TABLE `params` (
	`stream_id` integer NOT NULL,
	`key` text NOT NULL,
	`value` text NOT NULL,
	`seq` integer NOT NULL,
	PRIMARY KEY(`stream_id`, `key`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `streams` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`key` text NOT NULL,
	`kind` text NOT NULL,
	`model_run_id` text,
	`trial_id` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`last_seq` integer DEFAULT 0 NOT NULL,
	`folded_seq` integer DEFAULT 0 NOT NULL,
	`planned_seq` integer DEFAULT 0 NOT NULL,
	`delivered_seq` integer DEFAULT 0 NOT NULL,
	`delivered_at` integer,
	`poked_until` integer DEFAULT 0 NOT NULL,
	`heard_at` integer DEFAULT 0 NOT NULL,
	`pruned_at` integer,
	`lease_token` text,
	`lease_until` integer DEFAULT 0 NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`next_attempt_at` integer DEFAULT 0 NOT NULL,
	`waiting_for` text,
	`blocked_reason` text,
	`last_error` text,
	`forced` integer DEFAULT false NOT NULL,
	`create_nonce` text,
	`create_sent_at` integer,
	`recheck_at` integer,
	`experiment_name` text,
	`mlflow_experiment_id` text,
	`mlflow_run_id` text,
	`adopted` integer DEFAULT false NOT NULL,
	`sent_state` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `streams_key_unique` ON `streams` (`key`);--> statement-breakpoint
CREATE INDEX `streams_behind` ON `streams` (`next_attempt_at`) WHERE "streams"."delivered_seq" < "streams"."last_seq";--> statement-breakpoint
CREATE INDEX `streams_leased` ON `streams` (`lease_until`) WHERE "streams"."lease_token" is not null;--> statement-breakpoint
CREATE INDEX `streams_recheck` ON `streams` (`recheck_at`) WHERE "streams"."recheck_at" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX `streams_mlflow_run` ON `streams` (`mlflow_run_id`) WHERE "streams"."mlflow_run_id" is not null;--> statement-breakpoint
CREATE TABLE `tags` (
	`stream_id` integer NOT NULL,
	`key` text NOT NULL,
	`value` text NOT NULL,
	`at` integer NOT NULL,
	`event_id` text NOT NULL,
	`seq` integer NOT NULL,
	PRIMARY KEY(`stream_id`, `key`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `trials` (
	`id` integer PRIMARY KEY NOT NULL,
	`key` text NOT NULL,
	`model_run_id` text,
	`trial_id` text NOT NULL,
	`status` text DEFAULT 'running' NOT NULL,
	`lost_contact_at` integer,
	`announced` integer DEFAULT false NOT NULL,
	`spectral_norm` integer,
	`run_name` text,
	`experiment_name` text,
	`requested_run_id` text,
	`duration_ms` integer,
	`rank` integer,
	`started_at` integer,
	`ended_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`core` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `trials_key_unique` ON `trials` (`key`);--> statement-breakpoint
CREATE INDEX `trials_model_run` ON `trials` (`model_run_id`,`id`);--> statement-breakpoint
CREATE INDEX `trials_trial` ON `trials` (`trial_id`);--> statement-breakpoint
CREATE INDEX `trials_status` ON `trials` (`status`,`id`);--> statement-breakpoint
CREATE INDEX `trials_updated` ON `trials` (`updated_at`,`id`);--> statement-breakpoint
CREATE TABLE `verdicts` (
	`stream_id` integer PRIMARY KEY NOT NULL,
	`verdict` text NOT NULL,
	`report` text NOT NULL,
	`seq` integer NOT NULL,
	`checked_at` integer NOT NULL
);
