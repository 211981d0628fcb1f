CREATE TABLE `callers` (
	`n` integer PRIMARY KEY NOT NULL,
	`stream_id` integer NOT NULL
);
--> statement-breakpoint
DROP INDEX `streams_calling`;--> statement-breakpoint
ALTER TABLE `streams` ADD `sending_token` text;--> statement-breakpoint
ALTER TABLE `streams` ADD `sending_items` text;