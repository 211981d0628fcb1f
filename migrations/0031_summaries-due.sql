ALTER TABLE `trial_counts` ADD `summary_due_at` integer;--> statement-breakpoint
CREATE INDEX `trial_counts_summary_due` ON `trial_counts` (`summary_due_at`,`model_run_id`) WHERE "trial_counts"."summary_due_at" is not null;
--> statement-breakpoint
DROP TRIGGER trials_count_insert;
--> statement-breakpoint
DROP TRIGGER trials_count_update;
--> statement-breakpoint
DROP TRIGGER trials_count_delete;
--> statement-breakpoint
CREATE TRIGGER trials_count_insert AFTER INSERT ON trials WHEN new.model_run_id IS NOT NULL BEGIN
	INSERT INTO trial_counts (model_run_id, running, succeeded, failed, skipped, cancelled, with_spectral_norm, without_spectral_norm, summary_due_at) VALUES (new.model_run_id, (new.status = 'running'), (new.status = 'succeeded'), (new.status = 'failed'), (new.status = 'skipped'), (new.status = 'cancelled'), (new.spectral_norm IS 1), (new.spectral_norm IS 0), cast(unixepoch('subsec') * 1000 as integer)) ON CONFLICT (model_run_id) DO UPDATE SET running = running + excluded.running, succeeded = succeeded + excluded.succeeded, failed = failed + excluded.failed, skipped = skipped + excluded.skipped, cancelled = cancelled + excluded.cancelled, with_spectral_norm = with_spectral_norm + excluded.with_spectral_norm, without_spectral_norm = without_spectral_norm + excluded.without_spectral_norm, summary_due_at = coalesce(summary_due_at, excluded.summary_due_at);
END;
--> statement-breakpoint
CREATE TRIGGER trials_count_update AFTER UPDATE OF status, spectral_norm ON trials WHEN new.model_run_id IS NOT NULL AND (old.status IS NOT new.status OR old.spectral_norm IS NOT new.spectral_norm) BEGIN
	UPDATE trial_counts SET running = running + (new.status = 'running') - (old.status = 'running'), succeeded = succeeded + (new.status = 'succeeded') - (old.status = 'succeeded'), failed = failed + (new.status = 'failed') - (old.status = 'failed'), skipped = skipped + (new.status = 'skipped') - (old.status = 'skipped'), cancelled = cancelled + (new.status = 'cancelled') - (old.status = 'cancelled'), with_spectral_norm = with_spectral_norm + (new.spectral_norm IS 1) - (old.spectral_norm IS 1), without_spectral_norm = without_spectral_norm + (new.spectral_norm IS 0) - (old.spectral_norm IS 0), summary_due_at = iif(old.status IS new.status, summary_due_at, coalesce(summary_due_at, cast(unixepoch('subsec') * 1000 as integer))) WHERE model_run_id = new.model_run_id;
END;
--> statement-breakpoint
CREATE TRIGGER trials_count_delete AFTER DELETE ON trials WHEN old.model_run_id IS NOT NULL BEGIN
	INSERT INTO trial_counts (model_run_id, running, succeeded, failed, skipped, cancelled, with_spectral_norm, without_spectral_norm, summary_due_at) VALUES (old.model_run_id, -(old.status = 'running'), -(old.status = 'succeeded'), -(old.status = 'failed'), -(old.status = 'skipped'), -(old.status = 'cancelled'), -(old.spectral_norm IS 1), -(old.spectral_norm IS 0), cast(unixepoch('subsec') * 1000 as integer)) ON CONFLICT (model_run_id) DO UPDATE SET running = running + excluded.running, succeeded = succeeded + excluded.succeeded, failed = failed + excluded.failed, skipped = skipped + excluded.skipped, cancelled = cancelled + excluded.cancelled, with_spectral_norm = with_spectral_norm + excluded.with_spectral_norm, without_spectral_norm = without_spectral_norm + excluded.without_spectral_norm, summary_due_at = coalesce(summary_due_at, excluded.summary_due_at);
END;
--> statement-breakpoint
CREATE TRIGGER model_runs_summary_insert AFTER INSERT ON model_runs WHEN new.announced = 1 BEGIN
	UPDATE trial_counts SET summary_due_at = coalesce(summary_due_at, cast(unixepoch('subsec') * 1000 as integer)) WHERE model_run_id = new.model_run_id;
END;
--> statement-breakpoint
CREATE TRIGGER model_runs_summary_update AFTER UPDATE OF announced ON model_runs WHEN new.announced = 1 AND old.announced IS NOT 1 BEGIN
	UPDATE trial_counts SET summary_due_at = coalesce(summary_due_at, cast(unixepoch('subsec') * 1000 as integer)) WHERE model_run_id = new.model_run_id;
END;
--> statement-breakpoint
UPDATE trial_counts SET summary_due_at = cast(unixepoch('subsec') * 1000 as integer) WHERE model_run_id IN (SELECT model_run_id FROM trials WHERE updated_at >= cast(unixepoch('subsec') * 1000 as integer) - 86400000);
