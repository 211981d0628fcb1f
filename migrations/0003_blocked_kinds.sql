DROP INDEX `streams_blocked`;--> statement-breakpoint
ALTER TABLE `streams` ADD `blocked_kind` text;--> statement-breakpoint
ALTER TABLE `streams` ADD `blocked_on` text;--> statement-breakpoint
CREATE INDEX `streams_blocked` ON `streams` (`id`) WHERE "streams"."blocked_kind" is not null;--> statement-breakpoint
ALTER TABLE `mlflow_runs` ADD `metrics_hash` text;--> statement-breakpoint
ALTER TABLE `mlflow_runs` ADD `unmerged` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `mlflow_runs` ADD `gone_at` integer;
--> statement-breakpoint
UPDATE `streams` SET
  `blocked_kind` = CASE
    WHEN `blocked_reason` LIKE 'forgotten: %' THEN 'forgotten'
    WHEN `blocked_reason` LIKE 'gone: experiment "%" is deleted in MLflow' THEN 'gone_experiment'
    WHEN `blocked_reason` LIKE 'gone: %' THEN 'gone_run'
    WHEN `blocked_reason` LIKE 'conflict: %' THEN 'conflict'
    WHEN `blocked_reason` LIKE 'exists: %' THEN 'exists'
    WHEN `blocked_reason` LIKE 'missing: %' THEN 'missing'
    WHEN `blocked_reason` LIKE 'misconfigured: %' THEN 'misconfigured'
    ELSE 'invalid' END,
  `blocked_on` = CASE
    WHEN `blocked_reason` LIKE 'gone: experiment "%" is deleted in MLflow'
      THEN substr(`blocked_reason`, 19, length(`blocked_reason`) - 40)
    WHEN `blocked_reason` LIKE 'gone: %'
      THEN coalesce(`mlflow_run_id`, (SELECT t.`requested_run_id` FROM `trials` t WHERE t.`id` = `streams`.`id`)) END
WHERE `blocked_reason` IS NOT NULL;--> statement-breakpoint
UPDATE `mlflow_runs` SET `gone_at` = `synced_at`, `hash` = NULL WHERE `hash` = 'gone';--> statement-breakpoint
UPDATE `mlflow_runs` SET `unmerged` = 1, `hash` = substr(`hash`, 2) WHERE `hash` LIKE '!%';--> statement-breakpoint
UPDATE `mlflow_runs` SET `metrics_hash` = substr(`hash`, 33), `hash` = substr(`hash`, 1, 32) WHERE `hash` IS NOT NULL;
