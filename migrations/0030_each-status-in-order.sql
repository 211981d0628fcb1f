DROP INDEX `trials_cold`;--> statement-breakpoint
DROP INDEX `trials_cold_status`;--> statement-breakpoint
DROP INDEX `trials_cold_started`;--> statement-breakpoint
DROP INDEX `trials_cold_ended`;--> statement-breakpoint
DROP INDEX `trials_cold_duration`;--> statement-breakpoint
DROP INDEX `trials_cold_rank`;--> statement-breakpoint
CREATE INDEX `trials_cold_updated` ON `trials` (`status`,`updated_at`,`id`) WHERE "trials"."warm" = 0;--> statement-breakpoint
CREATE INDEX `trials_cold_started` ON `trials` (`status`,`started_at`,`id`) WHERE "trials"."warm" = 0;--> statement-breakpoint
CREATE INDEX `trials_cold_ended` ON `trials` (`status`,`ended_at`,`id`) WHERE "trials"."warm" = 0;--> statement-breakpoint
CREATE INDEX `trials_cold_duration` ON `trials` (`status`,`duration_ms`,`id`) WHERE "trials"."warm" = 0;--> statement-breakpoint
CREATE INDEX `trials_cold_rank` ON `trials` (`status`,`rank`,`id`) WHERE "trials"."warm" = 0;