CREATE TABLE `gateway_experiments` (
	`id` text PRIMARY KEY NOT NULL,
	`mlflow_experiment_id` text,
	`name` text NOT NULL,
	`artifact_location` text NOT NULL,
	`lifecycle` text DEFAULT 'active' NOT NULL,
	`tags` text DEFAULT '{}' NOT NULL,
	`created_time` integer NOT NULL,
	`updated_time` integer NOT NULL,
	`version` integer DEFAULT 0 NOT NULL,
	`delivered_version` integer DEFAULT 0 NOT NULL,
	`sent` text,
	`lease_token` text,
	`lease_until` integer DEFAULT 0 NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`next_attempt_at` integer DEFAULT 0 NOT NULL,
	`last_error` text
);
--> statement-breakpoint
CREATE INDEX `gateway_experiments_name` ON `gateway_experiments` (`name`);--> statement-breakpoint
CREATE INDEX `gateway_experiments_mlflow` ON `gateway_experiments` (`mlflow_experiment_id`) WHERE "gateway_experiments"."mlflow_experiment_id" is not null;--> statement-breakpoint
CREATE INDEX `gateway_experiments_behind` ON `gateway_experiments` (`next_attempt_at`) WHERE "gateway_experiments"."delivered_version" < "gateway_experiments"."version";--> statement-breakpoint
CREATE TABLE `gateway_runs` (
	`stream_id` integer PRIMARY KEY NOT NULL,
	`run_id` text NOT NULL,
	`experiment_id` text NOT NULL,
	`run_name` text,
	`user_id` text,
	`status` text DEFAULT 'RUNNING' NOT NULL,
	`start_time` integer,
	`end_time` integer,
	`lifecycle` text DEFAULT 'active' NOT NULL,
	`artifact_uri` text NOT NULL,
	`created_at` integer NOT NULL,
	`touched_at` integer,
	`create_hash` text
);
--> statement-breakpoint
CREATE INDEX `gateway_runs_listed` ON `gateway_runs` (`experiment_id`,`start_time`,`run_id`);--> statement-breakpoint
CREATE INDEX `gateway_runs_twins` ON `gateway_runs` (`create_hash`) WHERE "gateway_runs"."create_hash" is not null;--> statement-breakpoint
-- What is seen in MLflow of a run's or an experiment's lifecycle, and of an experiment's name and tags, is what its
-- clients see, unless something that they said is still on its way there.
CREATE TRIGGER gateway_runs_lifecycle AFTER UPDATE OF lifecycle_stage ON mlflow_runs WHEN old.lifecycle_stage IS NOT new.lifecycle_stage AND new.stream_id IS NOT NULL BEGIN
  UPDATE gateway_runs SET lifecycle = new.lifecycle_stage WHERE stream_id = new.stream_id AND lifecycle <> new.lifecycle_stage;
END;
--> statement-breakpoint
CREATE TRIGGER gateway_experiments_seen AFTER UPDATE OF name, lifecycle_stage, tags ON mlflow_experiments WHEN old.name IS NOT new.name OR old.lifecycle_stage IS NOT new.lifecycle_stage OR old.tags IS NOT new.tags BEGIN
  UPDATE gateway_experiments SET name = new.name, lifecycle = new.lifecycle_stage, tags = coalesce(new.tags, tags),
    updated_time = coalesce(new.updated_time, updated_time),
    sent = json_object('name', new.name, 'lifecycle', new.lifecycle_stage, 'tags', json(coalesce(new.tags, tags)))
  WHERE mlflow_experiment_id = new.mlflow_experiment_id AND version = delivered_version;
END;
