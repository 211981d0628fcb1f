import { CHUNKS_OF_SPAN, mayHave } from "../journal/chunks.ts";

/**
 * The metrics among `?2` (JSON of names) that a trial's ends without a step gave: rows of key, step, timestamp, value.
 * They are no points until delivery gives them a step for good; until then each stands at the trial's highest. Between
 * the planning of a final and the move of its watermark it is stored already: then it is not shown twice.
 */
export const UNPLANNED_FINALS = `
  with recursive span (id, after, upto) as materialized (select s.id, s.folded_seq, s.last_seq from streams s where s.id = ?1),
  ${CHUNKS_OF_SPAN},
  highest as materialized (
    select coalesce(max(step), 0) as step from (
      select t.core ->> '$.maxStep' as step from trials t where t.id = ?1
      union all
      select s.max_step from streams s where s.id = ?1
      union all
      select max_step from chunk)),
  final as (
    select s.id as stream_id, final.key, highest.step, e.occurred_at as timestamp, final.value, e.seq
    from streams s
    join events e on e.stream_id = s.id and e.seq > s.planned_seq
    join json_each(e.facts, '$.finals') final
    cross join highest
    where s.id = ?1 and final.key in (select value from json_each(?2)))
  select distinct key, step, timestamp, value from final f
  where not exists (select 1 ${sameAs("c.stream_id = f.stream_id and c.key = f.key and c.seq = f.seq")})
    and not exists (select 1 ${sameAs(`${mayHave("f", "f.step", "f.step", "f.timestamp")} and p.value ->> 2 = f.step`)})
  order by step, timestamp`;

/** The points that a final may be, among some chunks. */
function sameAs(condition: string): string {
  return `from metric_chunks c cross join json_each(c.points) p
    where ${condition}
      and p.value ->> 3 = f.timestamp and p.value ->> 4 = f.value`;
}
