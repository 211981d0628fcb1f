ALTER TABLE `streams` ADD `unconfirmed` text;--> statement-breakpoint
CREATE INDEX `streams_unconfirmed` ON `streams` (`delivered_at`) WHERE "streams"."unconfirmed" is not null;