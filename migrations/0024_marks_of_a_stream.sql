ALTER TABLE `streams` ADD `max_step` integer;--> statement-breakpoint
ALTER TABLE `streams` ADD `heard_seq` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
DROP TRIGGER trials_warm_update;--> statement-breakpoint
CREATE TRIGGER trials_warm_update AFTER UPDATE OF updated_at ON trials WHEN old.warm = 0 AND new.warm = 0 BEGIN
	UPDATE trials SET warm = 1 WHERE id = new.id;
END;
