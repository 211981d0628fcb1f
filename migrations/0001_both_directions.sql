CREATE TABLE `agreed` (
	`stream_id` integer NOT NULL,
	`kind` text NOT NULL,
	`key` text NOT NULL,
	`value` text NOT NULL,
	PRIMARY KEY(`stream_id`, `kind`, `key`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `history_pages` (
	`mlflow_run_id` text NOT NULL,
	`key` text NOT NULL,
	`page` integer NOT NULL,
	`points` text NOT NULL,
	`read_at` integer NOT NULL,
	PRIMARY KEY(`mlflow_run_id`, `key`, `page`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `history_pages_read` ON `history_pages` (`read_at`);--> statement-breakpoint
CREATE TABLE `jobs` (
	`id` text PRIMARY KEY NOT NULL,
	`action` text NOT NULL,
	`target` text NOT NULL,
	`state` text NOT NULL,
	`origin` text NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`snoozes` integer DEFAULT 0 NOT NULL,
	`errors` text DEFAULT '[]' NOT NULL,
	`progress` text,
	`counts` text DEFAULT '{}' NOT NULL,
	`due_at` integer NOT NULL,
	`lease_token` text,
	`lease_until` integer DEFAULT 0 NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`finished_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `jobs_outstanding` ON `jobs` (`action`,`target`) WHERE "jobs"."state" in ('queued', 'running');--> statement-breakpoint
CREATE INDEX `jobs_due` ON `jobs` (`due_at`) WHERE "jobs"."state" in ('queued', 'running');--> statement-breakpoint
CREATE INDEX `jobs_leased` ON `jobs` (`lease_until`) WHERE "jobs"."lease_token" is not null;--> statement-breakpoint
CREATE INDEX `jobs_created` ON `jobs` (`created_at`,`id`);--> statement-breakpoint
CREATE TABLE `watches` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`mlflow_experiment_id` text,
	`name` text,
	`created_at` integer NOT NULL,
	`last_job_id` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `watches_mlflow_experiment_id_unique` ON `watches` (`mlflow_experiment_id`);--> statement-breakpoint
CREATE UNIQUE INDEX `watches_name_unique` ON `watches` (`name`);--> statement-breakpoint
ALTER TABLE `conflicts` ADD `base` text;--> statement-breakpoint
ALTER TABLE `conflicts` ADD `relay_value` text;--> statement-breakpoint
ALTER TABLE `conflicts` ADD `mlflow_value` text;--> statement-breakpoint
ALTER TABLE `conflicts` ADD `decision` text;--> statement-breakpoint
ALTER TABLE `conflicts` ADD `state` text DEFAULT 'open' NOT NULL;--> statement-breakpoint
ALTER TABLE `conflicts` ADD `resolution` text;--> statement-breakpoint
ALTER TABLE `conflicts` ADD `resolved_at` integer;--> statement-breakpoint
CREATE INDEX `conflicts_state` ON `conflicts` (`state`,`id`);--> statement-breakpoint
ALTER TABLE `mlflow_experiments` ADD `former_names` text;--> statement-breakpoint
ALTER TABLE `mlflow_experiments` ADD `tags` text;--> statement-breakpoint
ALTER TABLE `mlflow_experiments` ADD `created_time` integer;--> statement-breakpoint
ALTER TABLE `mlflow_experiments` ADD `updated_time` integer;--> statement-breakpoint
ALTER TABLE `mlflow_runs` ADD `user_id` text;--> statement-breakpoint
ALTER TABLE `mlflow_runs` ADD `data` text;--> statement-breakpoint
ALTER TABLE `mlflow_runs` ADD `hash` text;--> statement-breakpoint
ALTER TABLE `mlflow_runs` ADD `tagged_trial_id` text;--> statement-breakpoint
ALTER TABLE `mlflow_runs` ADD `tagged_model_run_id` text;--> statement-breakpoint
ALTER TABLE `mlflow_runs` ADD `double_of` integer;--> statement-breakpoint
CREATE INDEX `mlflow_runs_open` ON `mlflow_runs` (`stream_id`) WHERE "mlflow_runs"."status" in ('RUNNING', 'SCHEDULED');--> statement-breakpoint
CREATE INDEX `mlflow_runs_tagged` ON `mlflow_runs` (`tagged_trial_id`,`tagged_model_run_id`);--> statement-breakpoint
ALTER TABLE `tags` ADD `removed_at` integer;--> statement-breakpoint
CREATE INDEX `streams_blocked` ON `streams` (`id`) WHERE "streams"."blocked_reason" is not null;--> statement-breakpoint
INSERT INTO `agreed` (`stream_id`, `kind`, `key`, `value`)
SELECT t.`stream_id`, 'tag', t.`key`, t.`value` FROM `tags` t JOIN `streams` s ON s.`id` = t.`stream_id`
WHERE t.`seq` <= s.`delivered_seq` AND s.`mlflow_run_id` IS NOT NULL;
