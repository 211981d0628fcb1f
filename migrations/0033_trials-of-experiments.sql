ALTER TABLE `trials` ADD `mlflow_experiment_id` text;--> statement-breakpoint
CREATE INDEX `trials_experiment` ON `trials` (`mlflow_experiment_id`,`status`,`id`) WHERE "trials"."mlflow_experiment_id" is not null;
--> statement-breakpoint
CREATE TRIGGER streams_experiment_update AFTER UPDATE OF mlflow_experiment_id ON streams WHEN old.mlflow_experiment_id IS NOT new.mlflow_experiment_id BEGIN
	UPDATE trials SET mlflow_experiment_id = new.mlflow_experiment_id WHERE id = new.id;
END;
--> statement-breakpoint
CREATE TRIGGER trials_experiment_insert AFTER INSERT ON trials BEGIN
	UPDATE trials SET mlflow_experiment_id = s.mlflow_experiment_id FROM streams s WHERE trials.id = new.id AND s.id = new.id AND s.mlflow_experiment_id IS NOT NULL;
END;
--> statement-breakpoint
UPDATE trials SET mlflow_experiment_id = s.mlflow_experiment_id FROM streams s WHERE s.id = trials.id AND s.mlflow_experiment_id IS NOT NULL;
