CREATE TABLE `gateway_model_links` (
	`model_id` text NOT NULL,
	`stream_id` integer NOT NULL,
	`kind` text NOT NULL,
	`step` integer DEFAULT 0 NOT NULL,
	`is_delivered` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`model_id`, `stream_id`, `kind`)
);
--> statement-breakpoint
CREATE INDEX `gateway_model_links_run` ON `gateway_model_links` (`stream_id`);--> statement-breakpoint
CREATE TABLE `gateway_model_points` (
	`model_id` text NOT NULL,
	`key` text NOT NULL,
	`timestamp` integer NOT NULL,
	`step` integer NOT NULL,
	`stream_id` integer NOT NULL,
	`seq` integer NOT NULL,
	`value` blob NOT NULL,
	`dataset_name` text,
	`dataset_digest` text,
	`is_delivered` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`model_id`, `key`, `timestamp`, `step`, `stream_id`)
);
--> statement-breakpoint
CREATE INDEX `gateway_model_points_behind` ON `gateway_model_points` (`model_id`,`stream_id`,`seq`) WHERE "gateway_model_points"."is_delivered" = 0;--> statement-breakpoint
CREATE TABLE `gateway_models` (
	`n` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`mlflow_id` text,
	`artifact_uri` text NOT NULL,
	`mlflow_root` text,
	`experiment_id` text NOT NULL,
	`source_run_id` text,
	`name` text NOT NULL,
	`model_type` text NOT NULL,
	`status` text DEFAULT 'LOGGED_MODEL_PENDING' NOT NULL,
	`lifecycle` text DEFAULT 'active' NOT NULL,
	`tags` text DEFAULT '{}' NOT NULL,
	`params` text DEFAULT '{}' NOT NULL,
	`created_time` integer NOT NULL,
	`updated_time` integer NOT NULL,
	`touched_at` integer,
	`create_hash` text,
	`version` integer DEFAULT 0 NOT NULL,
	`delivered_version` integer DEFAULT 0 NOT NULL,
	`sent` text,
	`create_sent_at` integer,
	`lease_token` text,
	`lease_until` integer DEFAULT 0 NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`next_attempt_at` integer DEFAULT 0 NOT NULL,
	`last_error` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `gateway_models_id_unique` ON `gateway_models` (`id`);--> statement-breakpoint
CREATE INDEX `gateway_models_mlflow` ON `gateway_models` (`mlflow_id`) WHERE "gateway_models"."mlflow_id" is not null;--> statement-breakpoint
CREATE INDEX `gateway_models_listed` ON `gateway_models` (`experiment_id`,`created_time`);--> statement-breakpoint
CREATE INDEX `gateway_models_behind` ON `gateway_models` (`next_attempt_at`) WHERE "gateway_models"."delivered_version" < "gateway_models"."version";