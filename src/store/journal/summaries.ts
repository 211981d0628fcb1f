import { TRIAL_STATUSES } from "../../domain/words.ts";

/** The tags of a parent run that say how its trials fare. */
export const SUMMARY_TAGS = {
  total: "thunderline_trials_total",
  running: "thunderline_trials_running",
  succeeded: "thunderline_trials_succeeded",
  failed: "thunderline_trials_failed",
  skipped: "thunderline_trials_skipped",
  cancelled: "thunderline_trials_cancelled",
} as const;

export type TrialCounts = Record<keyof typeof SUMMARY_TAGS, number>;
export type StaleSummary = { key: string; modelRunId: string; counts: TrialCounts };

/**
 * The announced model runs whose summary tags say something else than their trials do, as far as both are folded; those
 * that were looked at longest ago first. What is stopped, or has events that are not folded yet, is left.
 * @param since epoch milliseconds; only model runs with a trial that changed since then, or since the last pass of the
 *   cron, are counted
 */
export async function staleSummaries(db: D1Database, since: number, limit: number): Promise<StaleSummary[]> {
  const { results } = await db
    .prepare(STALE)
    .bind(since, limit)
    .all<{ key: string; modelRunId: string } & TrialCounts>();
  return results.map(({ key, modelRunId, ...counts }) => ({ key, modelRunId, counts }));
}

const WORDS = Object.entries(SUMMARY_TAGS);

// Unary plus: else SQLite walks the index of model runs, with every trial in it, for the sake of "union".
const STALE = `
  with touched as (${[0, 1]
    .map(
      (warm) => `
    select +model_run_id as id from trials
    where ${warm === 1 ? "warm = 1" : `warm = 0 and status in (${TRIAL_STATUSES.map((status) => `'${status}'`)})`}
      and updated_at >= min(?1, coalesce((select max(started_at) from cron_passes), 0))
      and +model_run_id is not null`,
    )
    .join(" union ")}),
  counts as (
    select c.model_run_id as id, c.running + c.succeeded + c.failed + c.skipped + c.cancelled as total,
      c.running, c.succeeded, c.failed, c.skipped, c.cancelled
    from touched join trial_counts c on c.model_run_id = touched.id)
  select s.key, m.model_run_id as modelRunId, c.total, c.running, c.succeeded, c.failed, c.skipped, c.cancelled
  from counts c join model_runs m on m.model_run_id = c.id join streams s on s.id = m.id
  where m.announced = 1 and s.blocked_kind is null and s.folded_seq >= s.last_seq
    and (select count(*) from tags g where g.stream_id = s.id and g.removed_at is null and (${WORDS.map(
      ([word, tag]) => `g.key = '${tag}' and g.value = cast(c.${word} as text)`,
    ).join(" or ")})) < ${WORDS.length}
  order by (select g.at from tags g where g.stream_id = s.id and g.key = '${SUMMARY_TAGS.total}'), m.id
  limit ?2`;
