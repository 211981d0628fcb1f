ALTER TABLE `gateway_models` ADD `points_due_at` integer;--> statement-breakpoint
ALTER TABLE `gateway_models` ADD `points_pruned_at` integer;--> statement-breakpoint
CREATE INDEX `gateway_models_points_due` ON `gateway_models` (`points_due_at`) WHERE "gateway_models"."points_due_at" is not null;