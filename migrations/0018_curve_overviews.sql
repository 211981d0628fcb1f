CREATE TABLE `curve_overviews` (
	`stream_id` integer NOT NULL,
	`key` text NOT NULL,
	`seq` integer NOT NULL,
	`points` text NOT NULL,
	`built_at` integer NOT NULL,
	PRIMARY KEY(`stream_id`, `key`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `curve_overviews_built` ON `curve_overviews` (`built_at`);