/** So few rows a statement that live writes are not held up. */
const PRUNED_EVENTS = 5_000;

/**
 * Deletes journal rows of ended trials and model runs that MLflow has had for longer than the retention. What is not
 * delivered is never touched; the folded state, the summaries and the metric history stay.
 * @returns how many events went
 */
export async function pruneEvents(db: D1Database, before: number): Promise<number> {
  const result = await db
    .prepare(
      `delete from events where seq in (
         select e.seq from streams s join events e on e.stream_id = s.id
         where s.delivered_seq >= s.last_seq and s.delivered_at < ?1 and e.seq <= s.delivered_seq
           and (exists (select 1 from trials t where t.id = s.id and t.ended_at is not null)
             or exists (select 1 from model_runs m where m.id = s.id and m.ended_at is not null))
         limit ?2)`,
    )
    .bind(before, PRUNED_EVENTS)
    .run();
  return result.meta.changes;
}
