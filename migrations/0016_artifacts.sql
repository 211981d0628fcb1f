CREATE TABLE `artifacts` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`stream_id` integer NOT NULL,
	`path` text NOT NULL,
	`bytes` integer NOT NULL,
	`sha256` text NOT NULL,
	`md5` text,
	`content_type` text NOT NULL,
	`object_key` text,
	`version` integer DEFAULT 1 NOT NULL,
	`delivered_version` integer DEFAULT 0 NOT NULL,
	`delivered_at` integer,
	`removed_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`lease_token` text,
	`lease_until` integer DEFAULT 0 NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`next_attempt_at` integer DEFAULT 0 NOT NULL,
	`last_error` text,
	`blocked_reason` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `artifacts_path` ON `artifacts` (`stream_id`,`path`);--> statement-breakpoint
CREATE INDEX `artifacts_behind` ON `artifacts` (`next_attempt_at`) WHERE "artifacts"."delivered_version" < "artifacts"."version";--> statement-breakpoint
CREATE INDEX `artifacts_kept` ON `artifacts` (`delivered_at`) WHERE "artifacts"."object_key" is not null and "artifacts"."delivered_version" = "artifacts"."version";--> statement-breakpoint
CREATE TABLE `loose_objects` (
	`key` text PRIMARY KEY NOT NULL,
	`upload_id` text,
	`expires_at` integer NOT NULL,
	`taken` integer DEFAULT false NOT NULL
);
--> statement-breakpoint
CREATE INDEX `loose_objects_expired` ON `loose_objects` (`expires_at`);