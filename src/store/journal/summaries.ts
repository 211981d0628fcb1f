import { repeatable } from "../database/counted.ts";
import { NOW_MS } from "../sql.ts";

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

/** Of so many model runs a pass looks whether their summary is right. */
const LOOKED_AT = 200;

/**
 * The announced model runs whose summary tags say something else than their trials do, as far as both are folded, among
 * those whose trials changed since that was last looked at: those that wait for the longest time. Which agree are done with;
 * the others, also what is stopped or has events that are not folded yet, are looked at again after all that wait.
 */
export async function staleSummaries(db: D1Database): Promise<StaleSummary[]> {
  // What was told and is lost on its way is told again: those stay due until their tags agree.
  const again = repeatable(db);
  const [stale] = await again.batch<{ key: string; modelRunId: string } & TrialCounts>([
    again.prepare(STALE).bind(LOOKED_AT),
    again.prepare(LOOK).bind(LOOKED_AT),
  ]);
  return (stale?.results ?? []).map(({ key, modelRunId, ...counts }) => ({ key, modelRunId, counts }));
}

const DUE = `
  select model_run_id from trial_counts
  where summary_due_at is not null order by summary_due_at, model_run_id limit ?1`;

const TOTAL = "c.running + c.succeeded + c.failed + c.skipped + c.cancelled";
const countOf = (word: string) => (word === "total" ? TOTAL : `c.${word}`);
const WORDS = Object.entries(SUMMARY_TAGS);

/** Whether the tags of the model run's stream `s` are what its trials' counts `c` are. */
const AGREES = `(
  select count(*) from tags g where g.stream_id = s.id and g.removed_at is null and (${WORDS.map(
    ([word, tag]) => `g.key = '${tag}' and g.value = cast(${countOf(word)} as text)`,
  ).join(" or ")})) = ${WORDS.length}`;

const STALE = `
  select s.key, m.model_run_id as modelRunId, ${WORDS.map(([word]) => `${countOf(word)} as ${word}`).join(", ")}
  from (${DUE}) due cross join trial_counts c on c.model_run_id = due.model_run_id
  join model_runs m on m.model_run_id = c.model_run_id join streams s on s.id = m.id
  where m.announced = 1 and s.blocked_kind is null and s.folded_seq >= s.last_seq and not ${AGREES}`;

const LOOK = `
  update trial_counts as c set summary_due_at = iif(exists (
    select 1 from model_runs m join streams s on s.id = m.id
    where m.model_run_id = c.model_run_id and m.announced = 1
      and not (s.folded_seq >= s.last_seq and ${AGREES})), ${NOW_MS}, null)
  where model_run_id in (${DUE})`;
