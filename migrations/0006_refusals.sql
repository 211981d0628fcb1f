CREATE TABLE `refusals` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`token_id` text NOT NULL,
	`model_run_id` text NOT NULL,
	`trial_id` text NOT NULL,
	`error` text NOT NULL,
	`field` text NOT NULL,
	`rule` text NOT NULL,
	`value` text NOT NULL,
	`request_id` text NOT NULL,
	`count` integer NOT NULL,
	`first_at` integer NOT NULL,
	`last_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `refusals_kind` ON `refusals` (`token_id`,`model_run_id`,`trial_id`,`error`,`field`,`rule`);--> statement-breakpoint
CREATE INDEX `refusals_trial` ON `refusals` (`model_run_id`,`trial_id`);--> statement-breakpoint
CREATE INDEX `refusals_last` ON `refusals` (`last_at`);