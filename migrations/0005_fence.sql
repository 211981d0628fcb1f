ALTER TABLE `streams` ADD `doubt` text;--> statement-breakpoint
ALTER TABLE `streams` ADD `fence_until` integer;--> statement-breakpoint
-- Calls that were under way, of which nobody has heard the end.
UPDATE `streams` SET `doubt` = json_object('call', 'runs/create', 'token', null, 'state', json_object()), `fence_until` = `create_sent_at` + 300000 WHERE `create_sent_at` IS NOT NULL AND `mlflow_run_id` IS NULL;--> statement-breakpoint
UPDATE `streams` SET `doubt` = (SELECT json_object('call', 'runs/log-batch', 'token', b.token, 'state', json_object()) FROM `batches` b WHERE b.stream_id = `streams`.id AND b.sent_at IS NOT NULL ORDER BY b.id DESC LIMIT 1), `fence_until` = (SELECT max(b.sent_at) + 300000 FROM `batches` b WHERE b.stream_id = `streams`.id) WHERE EXISTS (SELECT 1 FROM `batches` b WHERE b.stream_id = `streams`.id AND b.sent_at IS NOT NULL);
