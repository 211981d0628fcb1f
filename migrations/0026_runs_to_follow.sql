ALTER TABLE `mlflow_runs` ADD `follow_at` integer;--> statement-breakpoint
ALTER TABLE `mlflow_runs` ADD `followed_at` integer;--> statement-breakpoint
ALTER TABLE `mlflow_runs` ADD `followed` text;--> statement-breakpoint
CREATE INDEX `mlflow_runs_to_follow` ON `mlflow_runs` (`follow_at`) WHERE "mlflow_runs"."follow_at" is not null;--> statement-breakpoint
CREATE INDEX `mlflow_runs_followed` ON `mlflow_runs` (`followed_at`) WHERE "mlflow_runs"."followed_at" is not null;