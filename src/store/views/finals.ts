/**
 * The metrics among `?2` (JSON of names) that a trial's ends without a step gave: rows of key, step, timestamp, value.
 * They are no points until delivery gives them a step for good; until then each stands at the trial's highest. Between
 * the planning of a final and the move of its watermark it is stored already: then it is not shown twice.
 */
export const UNPLANNED_FINALS = `
  with highest as (
    select coalesce(max(step), 0) as step from (
      select t.core ->> '$.maxStep' as step from trials t where t.id = ?1
      union all
      select s.max_step from streams s where s.id = ?1
      union all
      select max(p.step) from streams s join metric_points p on p.stream_id = s.id and p.seq > s.folded_seq
      where s.id = ?1))
  select distinct final.key, highest.step, e.occurred_at as timestamp, final.value
  from streams s
  join events e on e.stream_id = s.id and e.seq > s.planned_seq
  join json_each(e.facts, '$.finals') final
  cross join highest
  where s.id = ?1 and final.key in (select value from json_each(?2))
    and not exists (select 1 from metric_points p
      where p.stream_id = s.id and p.key = final.key and p.timestamp = e.occurred_at and p.value = final.value
        and (p.seq = e.seq or p.step = highest.step))
  order by highest.step, e.occurred_at`;
