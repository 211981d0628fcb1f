CREATE TABLE `identities` (
	`stream_id` integer NOT NULL,
	`event_id` text NOT NULL,
	`hash` blob,
	`seq` integer,
	`said_at` integer,
	PRIMARY KEY(`stream_id`, `event_id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `identities_said` ON `identities` (`stream_id`,`said_at`) WHERE "identities"."said_at" is not null;--> statement-breakpoint
ALTER TABLE `events` ADD `said_again_at` integer;--> statement-breakpoint
CREATE INDEX `events_said` ON `events` (`stream_id`,`accepted_at`) WHERE "events"."type" <> 'ml.run.metric';--> statement-breakpoint
ALTER TABLE `streams` ADD `pruning_seq` integer;--> statement-breakpoint
ALTER TABLE `streams` ADD `prune_at` integer;--> statement-breakpoint
ALTER TABLE `streams` ADD `forget_at` integer;--> statement-breakpoint
CREATE INDEX `streams_pruning` ON `streams` (`id`) WHERE "streams"."pruning_seq" is not null;--> statement-breakpoint
CREATE INDEX `streams_forget` ON `streams` (`forget_at`) WHERE "streams"."forget_at" is not null;--> statement-breakpoint
INSERT INTO `identities` (`stream_id`, `event_id`, `seq`)
SELECT `stream_id`, `event_id`, `seq` FROM `events`
WHERE `event_id` = 'sha256:' || `hash` AND `type` IN ('ml.trial.complete', 'ml.trial.failed', 'ml.trial.skipped', 'ml.trial.cancelled');--> statement-breakpoint
UPDATE `streams` SET `pruning_seq` = (SELECT v.`seq` FROM `verdicts` v WHERE v.`stream_id` = `streams`.`id` AND v.`verdict` = 'confirmed')
WHERE `pruned_at` IS NOT NULL;
