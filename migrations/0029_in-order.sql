DROP INDEX `gateway_runs_listed`;--> statement-breakpoint
CREATE INDEX `gateway_runs_deleted` ON `gateway_runs` (`experiment_id`,case when "start_time" is null then "created_at" else "start_time" end,`run_id`) WHERE "gateway_runs"."lifecycle" = 'deleted';--> statement-breakpoint
CREATE INDEX `gateway_runs_open` ON `gateway_runs` (`experiment_id`) WHERE "gateway_runs"."status" in ('RUNNING', 'SCHEDULED');--> statement-breakpoint
CREATE INDEX `gateway_runs_listed` ON `gateway_runs` (`experiment_id`,case when "start_time" is null then "created_at" else "start_time" end,`run_id`);--> statement-breakpoint
DROP INDEX `mlflow_runs_tagged`;--> statement-breakpoint
DROP INDEX `mlflow_runs_to_follow`;--> statement-breakpoint
ALTER TABLE `mlflow_runs` ADD `follow_hangs` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX `mlflow_runs_deleted` ON `mlflow_runs` (`lifecycle_stage`,`start_time`,`mlflow_run_id`) WHERE "mlflow_runs"."lifecycle_stage" = 'deleted';--> statement-breakpoint
CREATE INDEX `mlflow_runs_deleted_in` ON `mlflow_runs` (`mlflow_experiment_id`,`lifecycle_stage`,`start_time`,`mlflow_run_id`) WHERE "mlflow_runs"."lifecycle_stage" = 'deleted';--> statement-breakpoint
CREATE INDEX `mlflow_runs_failed` ON `mlflow_runs` (`status`,`start_time`,`mlflow_run_id`) WHERE "mlflow_runs"."status" in ('FAILED', 'KILLED');--> statement-breakpoint
CREATE INDEX `mlflow_runs_failed_in` ON `mlflow_runs` (`mlflow_experiment_id`,`status`,`start_time`,`mlflow_run_id`) WHERE "mlflow_runs"."status" in ('FAILED', 'KILLED');--> statement-breakpoint
CREATE INDEX `mlflow_runs_tagged` ON `mlflow_runs` (`tagged_trial_id`,`tagged_model_run_id`) WHERE "mlflow_runs"."tagged_trial_id" is not null or "mlflow_runs"."tagged_model_run_id" is not null;--> statement-breakpoint
CREATE INDEX `mlflow_runs_to_follow` ON `mlflow_runs` (`follow_at`,`follow_hangs`,`followed_at`) WHERE "mlflow_runs"."follow_at" is not null;--> statement-breakpoint
CREATE INDEX `dead_letters_state_kind` ON `dead_letters` (`state`,`kind`,`id`);--> statement-breakpoint
CREATE INDEX `model_runs_failed` ON `model_runs` (`state`,`id`) WHERE "model_runs"."state" in ('failed', 'cancelled');--> statement-breakpoint
CREATE INDEX `trials_cold_status` ON `trials` (`status`,`updated_at`,`id`) WHERE "trials"."warm" = 0;--> statement-breakpoint
CREATE INDEX `trials_cold_started` ON `trials` (`started_at`,`id`) WHERE "trials"."warm" = 0;--> statement-breakpoint
CREATE INDEX `trials_cold_ended` ON `trials` (`ended_at`,`id`) WHERE "trials"."warm" = 0;--> statement-breakpoint
CREATE INDEX `trials_cold_duration` ON `trials` (`duration_ms`,`id`) WHERE "trials"."warm" = 0;--> statement-breakpoint
CREATE INDEX `trials_cold_rank` ON `trials` (`rank`,`id`) WHERE "trials"."warm" = 0;--> statement-breakpoint
CREATE INDEX `gateway_experiments_created` ON `gateway_experiments` (`created_time`);--> statement-breakpoint
CREATE INDEX `jobs_action` ON `jobs` (`action`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `jobs_failed` ON `jobs` (`state`,`created_at`,`id`) WHERE "jobs"."state" in ('failed', 'cancelled');--> statement-breakpoint
CREATE INDEX `mlflow_experiments_created` ON `mlflow_experiments` (case when "created_time" is null then 0 else "created_time" end);--> statement-breakpoint
CREATE INDEX `conflicts_kind` ON `conflicts` (`kind`,`id`);--> statement-breakpoint
CREATE INDEX `conflicts_state_kind` ON `conflicts` (`state`,`kind`,`id`);--> statement-breakpoint
CREATE INDEX `streams_experiment_model_run` ON `streams` (`mlflow_experiment_id`,`model_run_id`) WHERE "streams"."mlflow_experiment_id" is not null and "streams"."model_run_id" is not null;