CREATE TABLE `run_counts` (
	`mlflow_experiment_id` text NOT NULL,
	`status` text NOT NULL,
	`value` integer NOT NULL,
	PRIMARY KEY(`mlflow_experiment_id`, `status`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `tallies` (
	`name` text PRIMARY KEY NOT NULL,
	`value` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `trial_counts` (
	`model_run_id` text PRIMARY KEY NOT NULL,
	`running` integer DEFAULT 0 NOT NULL,
	`succeeded` integer DEFAULT 0 NOT NULL,
	`failed` integer DEFAULT 0 NOT NULL,
	`skipped` integer DEFAULT 0 NOT NULL,
	`cancelled` integer DEFAULT 0 NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `model_runs_open` ON `model_runs` (`id`) WHERE "model_runs"."state" in ('initialized', 'running');--> statement-breakpoint
CREATE INDEX `streams_experiment` ON `streams` (`mlflow_experiment_id`) WHERE "streams"."mlflow_experiment_id" is not null;--> statement-breakpoint
CREATE INDEX `streams_unpruned` ON `streams` (`created_at`) WHERE "streams"."pruned_at" is null;--> statement-breakpoint
CREATE INDEX `streams_pruned_before` ON `streams` (`id`) WHERE "streams"."pruned_at" < coalesce("streams"."delivered_at", "streams"."updated_at");
--> statement-breakpoint
CREATE TRIGGER trials_tally_insert AFTER INSERT ON trials BEGIN
	INSERT INTO tallies (name, value) VALUES ('trials.' || new.status, 1) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
END;
--> statement-breakpoint
CREATE TRIGGER trials_tally_update AFTER UPDATE OF status ON trials WHEN 'trials.' || old.status IS NOT 'trials.' || new.status BEGIN
	INSERT INTO tallies (name, value) VALUES ('trials.' || old.status, -1) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
	INSERT INTO tallies (name, value) VALUES ('trials.' || new.status, 1) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
END;
--> statement-breakpoint
CREATE TRIGGER trials_tally_delete AFTER DELETE ON trials BEGIN
	INSERT INTO tallies (name, value) VALUES ('trials.' || old.status, -1) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
END;
--> statement-breakpoint
CREATE TRIGGER streams_tally_insert AFTER INSERT ON streams BEGIN
	INSERT INTO tallies (name, value) VALUES ('streams.' || new.kind, 1) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
END;
--> statement-breakpoint
CREATE TRIGGER streams_tally_delete AFTER DELETE ON streams BEGIN
	INSERT INTO tallies (name, value) VALUES ('streams.' || old.kind, -1) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
END;
--> statement-breakpoint
CREATE TRIGGER dead_letters_tally_insert AFTER INSERT ON dead_letters BEGIN
	INSERT INTO tallies (name, value) VALUES ('dead_letters.' || new.state, 1) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
END;
--> statement-breakpoint
CREATE TRIGGER dead_letters_tally_update AFTER UPDATE OF state ON dead_letters WHEN 'dead_letters.' || old.state IS NOT 'dead_letters.' || new.state BEGIN
	INSERT INTO tallies (name, value) VALUES ('dead_letters.' || old.state, -1) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
	INSERT INTO tallies (name, value) VALUES ('dead_letters.' || new.state, 1) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
END;
--> statement-breakpoint
CREATE TRIGGER dead_letters_tally_delete AFTER DELETE ON dead_letters BEGIN
	INSERT INTO tallies (name, value) VALUES ('dead_letters.' || old.state, -1) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
END;
--> statement-breakpoint
CREATE TRIGGER conflicts_tally_insert AFTER INSERT ON conflicts BEGIN
	INSERT INTO tallies (name, value) VALUES ('conflicts.' || new.state || '.' || new.kind, 1) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
END;
--> statement-breakpoint
CREATE TRIGGER conflicts_tally_update AFTER UPDATE OF state ON conflicts WHEN 'conflicts.' || old.state || '.' || old.kind IS NOT 'conflicts.' || new.state || '.' || new.kind BEGIN
	INSERT INTO tallies (name, value) VALUES ('conflicts.' || old.state || '.' || old.kind, -1) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
	INSERT INTO tallies (name, value) VALUES ('conflicts.' || new.state || '.' || new.kind, 1) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
END;
--> statement-breakpoint
CREATE TRIGGER conflicts_tally_delete AFTER DELETE ON conflicts BEGIN
	INSERT INTO tallies (name, value) VALUES ('conflicts.' || old.state || '.' || old.kind, -1) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
END;
--> statement-breakpoint
CREATE TRIGGER trials_count_insert AFTER INSERT ON trials WHEN new.model_run_id IS NOT NULL BEGIN
	INSERT INTO trial_counts (model_run_id, running, succeeded, failed, skipped, cancelled) VALUES (new.model_run_id, (new.status = 'running'), (new.status = 'succeeded'), (new.status = 'failed'), (new.status = 'skipped'), (new.status = 'cancelled')) ON CONFLICT (model_run_id) DO UPDATE SET running = running + excluded.running, succeeded = succeeded + excluded.succeeded, failed = failed + excluded.failed, skipped = skipped + excluded.skipped, cancelled = cancelled + excluded.cancelled;
END;
--> statement-breakpoint
CREATE TRIGGER trials_count_update AFTER UPDATE OF status ON trials WHEN new.model_run_id IS NOT NULL AND old.status IS NOT new.status BEGIN
	UPDATE trial_counts SET running = running + (new.status = 'running') - (old.status = 'running'), succeeded = succeeded + (new.status = 'succeeded') - (old.status = 'succeeded'), failed = failed + (new.status = 'failed') - (old.status = 'failed'), skipped = skipped + (new.status = 'skipped') - (old.status = 'skipped'), cancelled = cancelled + (new.status = 'cancelled') - (old.status = 'cancelled') WHERE model_run_id = new.model_run_id;
END;
--> statement-breakpoint
CREATE TRIGGER trials_count_delete AFTER DELETE ON trials WHEN old.model_run_id IS NOT NULL BEGIN
	INSERT INTO trial_counts (model_run_id, running, succeeded, failed, skipped, cancelled) VALUES (old.model_run_id, -(old.status = 'running'), -(old.status = 'succeeded'), -(old.status = 'failed'), -(old.status = 'skipped'), -(old.status = 'cancelled')) ON CONFLICT (model_run_id) DO UPDATE SET running = running + excluded.running, succeeded = succeeded + excluded.succeeded, failed = failed + excluded.failed, skipped = skipped + excluded.skipped, cancelled = cancelled + excluded.cancelled;
END;
--> statement-breakpoint
CREATE TRIGGER mlflow_runs_count_insert AFTER INSERT ON mlflow_runs BEGIN
	INSERT INTO run_counts (mlflow_experiment_id, status, value) VALUES (new.mlflow_experiment_id, new.status, 1) ON CONFLICT (mlflow_experiment_id, status) DO UPDATE SET value = value + excluded.value;
END;
--> statement-breakpoint
CREATE TRIGGER mlflow_runs_count_update AFTER UPDATE OF mlflow_experiment_id, status ON mlflow_runs WHEN old.mlflow_experiment_id IS NOT new.mlflow_experiment_id OR old.status IS NOT new.status BEGIN
	INSERT INTO run_counts (mlflow_experiment_id, status, value) VALUES (old.mlflow_experiment_id, old.status, -1) ON CONFLICT (mlflow_experiment_id, status) DO UPDATE SET value = value + excluded.value;
	INSERT INTO run_counts (mlflow_experiment_id, status, value) VALUES (new.mlflow_experiment_id, new.status, 1) ON CONFLICT (mlflow_experiment_id, status) DO UPDATE SET value = value + excluded.value;
END;
--> statement-breakpoint
CREATE TRIGGER mlflow_runs_count_delete AFTER DELETE ON mlflow_runs BEGIN
	INSERT INTO run_counts (mlflow_experiment_id, status, value) VALUES (old.mlflow_experiment_id, old.status, -1) ON CONFLICT (mlflow_experiment_id, status) DO UPDATE SET value = value + excluded.value;
END;
--> statement-breakpoint
INSERT INTO tallies (name, value) SELECT 'trials.' || status, count(*) FROM trials GROUP BY status;
--> statement-breakpoint
INSERT INTO tallies (name, value) SELECT 'streams.' || kind, count(*) FROM streams GROUP BY kind;
--> statement-breakpoint
INSERT INTO tallies (name, value) SELECT 'dead_letters.' || state, count(*) FROM dead_letters GROUP BY state;
--> statement-breakpoint
INSERT INTO tallies (name, value) SELECT 'conflicts.' || state || '.' || kind, count(*) FROM conflicts GROUP BY state, kind;
--> statement-breakpoint
INSERT INTO trial_counts (model_run_id, running, succeeded, failed, skipped, cancelled) SELECT model_run_id, sum(status = 'running'), sum(status = 'succeeded'), sum(status = 'failed'), sum(status = 'skipped'), sum(status = 'cancelled') FROM trials WHERE model_run_id IS NOT NULL GROUP BY model_run_id;
--> statement-breakpoint
INSERT INTO run_counts (mlflow_experiment_id, status, value) SELECT mlflow_experiment_id, status, count(*) FROM mlflow_runs GROUP BY mlflow_experiment_id, status;
