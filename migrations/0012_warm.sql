ALTER TABLE `streams` ADD `warm` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `trials` ADD `warm` integer DEFAULT false NOT NULL;--> statement-breakpoint
CREATE TRIGGER streams_warm_insert AFTER INSERT ON streams WHEN new.warm = 0 AND (new.delivered_seq < new.last_seq OR new.unconfirmed IS NOT NULL) BEGIN
	UPDATE streams SET warm = 1 WHERE id = new.id;
END;
--> statement-breakpoint
CREATE TRIGGER streams_warm_update AFTER UPDATE OF last_seq, delivered_seq, unconfirmed ON streams WHEN new.warm = 0 AND (new.delivered_seq < new.last_seq OR new.unconfirmed IS NOT NULL) BEGIN
	UPDATE streams SET warm = 1 WHERE id = new.id;
END;
--> statement-breakpoint
CREATE TRIGGER trials_warm_update AFTER UPDATE OF updated_at ON trials WHEN new.warm = 0 BEGIN
	UPDATE trials SET warm = 1 WHERE id = new.id;
END;
--> statement-breakpoint
UPDATE `streams` SET `warm` = 1 WHERE "delivered_seq" < "last_seq";--> statement-breakpoint
UPDATE `streams` SET `warm` = 1 WHERE "unconfirmed" is not null;--> statement-breakpoint
CREATE INDEX `streams_warm` ON `streams` (`id`) WHERE "streams"."warm" = 1;--> statement-breakpoint
CREATE INDEX `trials_warm` ON `trials` (`id`) WHERE "trials"."warm" = 1;--> statement-breakpoint
CREATE INDEX `trials_cold` ON `trials` (`updated_at`,`id`) WHERE "trials"."warm" = 0;--> statement-breakpoint
DROP INDEX `streams_behind`;--> statement-breakpoint
DROP INDEX `streams_unconfirmed`;--> statement-breakpoint
DROP INDEX `trials_updated`;
