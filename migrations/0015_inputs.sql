CREATE TABLE `gateway_inputs` (
	`stream_id` integer NOT NULL,
	`digest` text NOT NULL,
	`body` text NOT NULL,
	`is_delivered` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`stream_id`, `digest`)
);
