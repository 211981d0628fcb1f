/** The points that the journal has, as a table: what the chunks of them hold. */
export const POINTS = `(
  select c.stream_id, c.key, p.value ->> 0 as seq, p.value ->> 1 as n, p.value ->> 2 as step, p.value ->> 3 as timestamp,
    p.value ->> 4 as value
  from metric_chunks c, json_each(c.points) p)`;
