CREATE TABLE `__new_batches` (
	`stream_id` integer NOT NULL,
	`n` integer NOT NULL,
	`token` text NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`items` text NOT NULL,
	PRIMARY KEY(`stream_id`, `n`)
) WITHOUT ROWID;
--> statement-breakpoint
INSERT INTO `__new_batches`("stream_id", "n", "token", "attempts", "items") SELECT "stream_id", "id", "token", "attempts", "items" FROM `batches`;--> statement-breakpoint
DROP TABLE `batches`;--> statement-breakpoint
ALTER TABLE `__new_batches` RENAME TO `batches`;--> statement-breakpoint
DROP INDEX `streams_leased`;--> statement-breakpoint
DROP INDEX `streams_unconfirmed`;--> statement-breakpoint
ALTER TABLE `streams` ADD `calling_until` integer;--> statement-breakpoint
CREATE INDEX `streams_calling` ON `streams` (`calling_until`) WHERE "streams"."calling_until" is not null;--> statement-breakpoint
CREATE INDEX `streams_unconfirmed` ON `streams` (`id`) WHERE "streams"."unconfirmed" is not null;
