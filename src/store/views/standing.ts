import { behind } from "../stream/warm.ts";

/** Nobody needs to know how many more there are, and counting them would cost. */
export const MAX_COUNTED = 1_000;

/** How the relay stands with MLflow, in figures whose cost grows neither with what is finished nor with what waits. */
export type Standing = {
  /** Trials and model runs of which MLflow does not have everything, up to one more than `MAX_COUNTED`. */
  behind: number;
  /** When the oldest event was accepted that one of those has not delivered; epoch milliseconds. */
  oldestAt: number | null;
  /** Those that stand still and were not given up; bounded likewise. */
  blocked: number;
  /** Dead letters that are open. */
  deadLetters: number;
  /** Conflicts that are open. */
  conflicts: number;
  /** Jobs that are not over. */
  jobs: number;
  /** Files that MLflow does not have yet; bounded likewise. */
  files: number;
};

/** Reads it in one round trip. */
export async function readStanding(db: D1Database): Promise<Standing> {
  const row = await db.prepare(STANDING).first<Standing>();
  return row ?? NOTHING;
}

const NOTHING: Standing = {
  behind: 0,
  oldestAt: null,
  blocked: 0,
  deadLetters: 0,
  conflicts: 0,
  jobs: 0,
  files: 0,
};

const upTo = (rows: string) => `(select count(*) from (select 1 from ${rows} limit ${MAX_COUNTED + 1}))`;
const BEHIND = `streams where ${behind()} and blocked_kind is not 'forgotten'`;

/** Each part is in an index, or is a count that was kept at the change. */
const STANDING = `
  select
    ${upTo(BEHIND)} as behind,
    (select min(accepted_at) from events where (stream_id, seq) in (
      select id, (select min(e.seq) from events e where e.stream_id = streams.id and e.seq > streams.delivered_seq)
      from ${BEHIND} limit ${MAX_COUNTED})) as oldestAt,
    ${upTo("streams where blocked_kind is not null and blocked_kind <> 'forgotten'")} as blocked,
    coalesce((select value from tallies where name = 'dead_letters.open'), 0) as deadLetters,
    coalesce((select sum(value) from tallies where name like 'conflicts.open.%'), 0) as conflicts,
    ${upTo("jobs where state in ('queued', 'running')")} as jobs,
    ${upTo("artifacts where delivered_version < version")} as files`;
