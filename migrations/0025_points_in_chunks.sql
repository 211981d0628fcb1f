CREATE TABLE `metric_chunks` (
	`stream_id` integer NOT NULL,
	`key` text NOT NULL,
	`seq` integer NOT NULL,
	`n` integer NOT NULL,
	`first_seq` integer NOT NULL,
	`min_step` integer NOT NULL,
	`max_step` integer NOT NULL,
	`top` integer NOT NULL,
	`latest` integer NOT NULL,
	`points` text NOT NULL,
	PRIMARY KEY(`stream_id`, `key`, `seq`, `n`)
) WITHOUT ROWID;
--> statement-breakpoint
-- A number is written with the digits that give it back, fifteen where they do.
INSERT INTO `metric_chunks`
SELECT stream_id, key, seq, n, first_seq, min_step, max_step, max(max_step) OVER so_far, max(latest) OVER so_far, points
FROM (
	SELECT *, points ->> '$[#-1][1]' AS n FROM (
		SELECT stream_id, key, max(seq) AS seq, min(seq) AS first_seq, min(step) AS min_step, max(step) AS max_step,
			max(timestamp) AS latest, '[' || group_concat(
				'[' || seq || ',' || n || ',' || step || ',' || timestamp || ',' || CASE typeof(value)
					WHEN 'integer' THEN value
					WHEN 'real' THEN iif(CAST(format('%!.15g', value) AS real) = value, format('%!.15g', value), format('%!.17g', value))
					ELSE json_quote(value) END || ']', ',' ORDER BY seq, n) || ']' AS points
		FROM (
			SELECT *, (row_number() OVER (PARTITION BY stream_id, key ORDER BY seq, n) - 1) / 1000 AS part
			FROM `metric_points`)
		GROUP BY stream_id, key, seq / 1024, part))
WINDOW so_far AS (PARTITION BY stream_id, key ORDER BY seq, n ROWS UNBOUNDED PRECEDING);--> statement-breakpoint
DROP TABLE `metric_points`;
