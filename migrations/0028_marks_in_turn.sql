DROP INDEX `mlflow_runs_to_follow`;--> statement-breakpoint
CREATE INDEX `mlflow_runs_untried` ON `mlflow_runs` (`mlflow_experiment_id`,`followed_at`) WHERE "mlflow_runs"."follow_at" = 0;--> statement-breakpoint
CREATE INDEX `mlflow_runs_to_follow` ON `mlflow_runs` (`follow_at`,`followed_at`) WHERE "mlflow_runs"."follow_at" is not null;