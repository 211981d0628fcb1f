-- A run's lifecycle is as it is seen in MLflow, unless it, or that of its experiment, was changed here and MLflow has not
-- heard of it. MLflow deletes and restores an experiment with all its runs.
DROP TRIGGER `gateway_runs_lifecycle`;
--> statement-breakpoint
DROP TRIGGER `gateway_experiments_seen`;
--> statement-breakpoint
CREATE TRIGGER gateway_runs_lifecycle AFTER UPDATE OF lifecycle_stage ON mlflow_runs WHEN old.lifecycle_stage IS NOT new.lifecycle_stage AND new.stream_id IS NOT NULL BEGIN
  UPDATE gateway_runs SET lifecycle = new.lifecycle_stage WHERE stream_id = new.stream_id AND lifecycle <> new.lifecycle_stage
    AND NOT EXISTS (SELECT 1 FROM streams s JOIN events e ON e.stream_id = s.id AND e.seq > s.delivered_seq AND e.type = 'mlflow.run.lifecycle' WHERE s.id = new.stream_id)
    AND NOT EXISTS (SELECT 1 FROM gateway_experiments x WHERE x.id = gateway_runs.experiment_id AND x.delivered_version < x.version AND x.lifecycle IS NOT x.sent ->> '$.lifecycle');
END;
--> statement-breakpoint
CREATE TRIGGER gateway_experiments_seen AFTER UPDATE OF name, lifecycle_stage, tags ON mlflow_experiments WHEN old.name IS NOT new.name OR old.lifecycle_stage IS NOT new.lifecycle_stage OR old.tags IS NOT new.tags BEGIN
  UPDATE gateway_runs SET lifecycle = new.lifecycle_stage
  WHERE experiment_id IN (SELECT id FROM gateway_experiments WHERE mlflow_experiment_id = new.mlflow_experiment_id AND version = delivered_version AND lifecycle <> new.lifecycle_stage)
    AND (touched_at IS NOT NULL OR create_hash IS NOT NULL);
  UPDATE gateway_experiments SET name = new.name, lifecycle = new.lifecycle_stage, tags = coalesce(new.tags, tags),
    updated_time = coalesce(new.updated_time, updated_time),
    sent = json_object('name', new.name, 'lifecycle', new.lifecycle_stage, 'tags', json(coalesce(new.tags, tags)))
  WHERE mlflow_experiment_id = new.mlflow_experiment_id AND version = delivered_version;
END;
--> statement-breakpoint
CREATE TRIGGER gateway_experiments_seen_first AFTER INSERT ON mlflow_experiments BEGIN
  UPDATE gateway_runs SET lifecycle = new.lifecycle_stage
  WHERE experiment_id IN (SELECT id FROM gateway_experiments WHERE mlflow_experiment_id = new.mlflow_experiment_id AND version = delivered_version AND lifecycle <> new.lifecycle_stage)
    AND (touched_at IS NOT NULL OR create_hash IS NOT NULL);
  UPDATE gateway_experiments SET name = new.name, lifecycle = new.lifecycle_stage, tags = coalesce(new.tags, tags),
    updated_time = coalesce(new.updated_time, updated_time),
    sent = json_object('name', new.name, 'lifecycle', new.lifecycle_stage, 'tags', json(coalesce(new.tags, tags)))
  WHERE mlflow_experiment_id = new.mlflow_experiment_id AND version = delivered_version;
END;
