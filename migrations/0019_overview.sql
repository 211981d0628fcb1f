DROP INDEX `mlflow_runs_experiment`;--> statement-breakpoint
CREATE INDEX `mlflow_runs_experiment` ON `mlflow_runs` (`mlflow_experiment_id`,`start_time`,`mlflow_run_id`);--> statement-breakpoint
ALTER TABLE `trial_counts` ADD `with_spectral_norm` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `trial_counts` ADD `without_spectral_norm` integer DEFAULT 0 NOT NULL;
--> statement-breakpoint
DROP TRIGGER trials_count_insert;
--> statement-breakpoint
DROP TRIGGER trials_count_update;
--> statement-breakpoint
DROP TRIGGER trials_count_delete;
--> statement-breakpoint
CREATE TRIGGER trials_count_insert AFTER INSERT ON trials WHEN new.model_run_id IS NOT NULL BEGIN
	INSERT INTO trial_counts (model_run_id, running, succeeded, failed, skipped, cancelled, with_spectral_norm, without_spectral_norm) VALUES (new.model_run_id, (new.status = 'running'), (new.status = 'succeeded'), (new.status = 'failed'), (new.status = 'skipped'), (new.status = 'cancelled'), (new.spectral_norm IS 1), (new.spectral_norm IS 0)) ON CONFLICT (model_run_id) DO UPDATE SET running = running + excluded.running, succeeded = succeeded + excluded.succeeded, failed = failed + excluded.failed, skipped = skipped + excluded.skipped, cancelled = cancelled + excluded.cancelled, with_spectral_norm = with_spectral_norm + excluded.with_spectral_norm, without_spectral_norm = without_spectral_norm + excluded.without_spectral_norm;
END;
--> statement-breakpoint
CREATE TRIGGER trials_count_update AFTER UPDATE OF status, spectral_norm ON trials WHEN new.model_run_id IS NOT NULL AND (old.status IS NOT new.status OR old.spectral_norm IS NOT new.spectral_norm) BEGIN
	UPDATE trial_counts SET running = running + (new.status = 'running') - (old.status = 'running'), succeeded = succeeded + (new.status = 'succeeded') - (old.status = 'succeeded'), failed = failed + (new.status = 'failed') - (old.status = 'failed'), skipped = skipped + (new.status = 'skipped') - (old.status = 'skipped'), cancelled = cancelled + (new.status = 'cancelled') - (old.status = 'cancelled'), with_spectral_norm = with_spectral_norm + (new.spectral_norm IS 1) - (old.spectral_norm IS 1), without_spectral_norm = without_spectral_norm + (new.spectral_norm IS 0) - (old.spectral_norm IS 0) WHERE model_run_id = new.model_run_id;
END;
--> statement-breakpoint
CREATE TRIGGER trials_count_delete AFTER DELETE ON trials WHEN old.model_run_id IS NOT NULL BEGIN
	INSERT INTO trial_counts (model_run_id, running, succeeded, failed, skipped, cancelled, with_spectral_norm, without_spectral_norm) VALUES (old.model_run_id, -(old.status = 'running'), -(old.status = 'succeeded'), -(old.status = 'failed'), -(old.status = 'skipped'), -(old.status = 'cancelled'), -(old.spectral_norm IS 1), -(old.spectral_norm IS 0)) ON CONFLICT (model_run_id) DO UPDATE SET running = running + excluded.running, succeeded = succeeded + excluded.succeeded, failed = failed + excluded.failed, skipped = skipped + excluded.skipped, cancelled = cancelled + excluded.cancelled, with_spectral_norm = with_spectral_norm + excluded.with_spectral_norm, without_spectral_norm = without_spectral_norm + excluded.without_spectral_norm;
END;
--> statement-breakpoint
UPDATE trial_counts SET (with_spectral_norm, without_spectral_norm) = (SELECT coalesce(sum(spectral_norm IS 1), 0), coalesce(sum(spectral_norm IS 0), 0) FROM trials t WHERE t.model_run_id = trial_counts.model_run_id);
