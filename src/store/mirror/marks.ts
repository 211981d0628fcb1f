import type { Counts } from "../../domain/counts.ts";
import { Bound, heldBy } from "../sql.ts";
import type { Lease } from "../stream/leases.ts";

/** Marks of runs in the mirror that are to be followed: merged, or linked to their trial. Each is done by itself. */

/** An attempt to follow a run; `dueAt`: when it is tried again, unless the attempt comes to an end before. */
export type Attempt = { runId: string; streamId: number | null; begunAt: number; dueAt: number };

/** An attempt that took so long and came to nothing has kept all others on the queue waiting. */
const SLOW_MS = 10_000;
/** How often such attempts are made of a run before it hangs: it waits behind all others then, and no job waits for it. */
const HANGS = 2;
/** One that did so again when it was tried behind the others. */
const HANGS_AGAIN = 3;

/** Marks runs as to be followed, at once, also those that an attempt failed for. */
export async function markToFollow(db: D1Database, runIds: readonly string[]): Promise<void> {
  const marking = marksToFollow(db, runIds);
  if (marking.length > 0) await db.batch(marking);
}

/** The statements for it: none without a run. */
export function marksToFollow(db: D1Database, runIds: readonly string[]): D1PreparedStatement[] {
  return runIds.length === 0 ? [] : [db.prepare(MARK).bind(JSON.stringify(runIds))];
}

/**
 * Marks a run that a merge is about to take something over of, unless it is marked: an edit that is taken back before the
 * mirror has it looks to every look as if there had been none. It is read once more, and no job waits for it.
 */
export function markTakenOver(db: D1Database, { streamId, token }: Lease, runId: string, now: number): Bound {
  return new Bound(db, MARK_TAKEN_OVER, streamId, token, runId, now);
}

/** What an attempt has come to until it tells: where its invocation ends before it does, that is what it came to. */
const UNTOLD: Counts = { failed: 1 };

/** What is counted of attempts, and so replaced when they are counted anew. */
export const FOLLOW_COUNTS = [
  "failed",
  "skipped_busy",
  "merged",
  "conflicts",
  "linked",
  "doubles",
  "doubles_deleted",
] as const;

/**
 * Takes a marked run for an attempt, which is noted before it is made: one that ends with its invocation counts as well.
 * @returns null where it is not marked, or not due, or hangs as others did just now
 */
export async function takeAttempt(
  db: D1Database,
  runId: string,
  now: number,
  dueAt: number,
): Promise<Attempt | null> {
  const taken = await db
    .prepare(TAKE)
    .bind(runId, now, dueAt, JSON.stringify(UNTOLD))
    .first<{ streamId: number | null }>();
  return taken && { runId, begunAt: now, dueAt, ...taken };
}

/** Notes what came of an attempt. Where it is over the mark goes, unless the run was marked anew meanwhile. */
export async function noteFollowed(
  db: D1Database,
  { runId, begunAt, dueAt }: Attempt,
  { isOver, counts }: { isOver: boolean; counts: Counts },
  now: number,
): Promise<void> {
  const hangs = !isOver && now - begunAt >= SLOW_MS ? HANGS : 0;
  await db.prepare(NOTE).bind(runId, dueAt, Number(isOver), JSON.stringify(counts), now, hangs).run();
}

/**
 * Of the runs that hang so few may hang again in a time, since each takes as long as a call may: the others are passed over
 * then. As long as they answer as many are tried as a pass sends.
 */
const FEW_HANGING = 3;
const HANGING_MS = 3 * 60_000;
/** Each message costs something, also where its run is passed over. */
const MAX_HANGING = 100;

/**
 * The runs that are due, those that were never tried first, then those whose last attempt is longest ago: those that fail
 * in every pass, and are marked anew by every look, keep no other from its turn. Some of those that hang come last.
 */
export async function dueToFollow(db: D1Database, now: number, limit: number): Promise<string[]> {
  const [due, hanging] = await db.batch<{ id: string }>([
    db.prepare(DUE).bind(now, limit),
    db.prepare(HANGING).bind(now, MAX_HANGING),
  ]);
  return [...(due?.results ?? []), ...(hanging?.results ?? [])].map(({ id }) => id);
}

/**
 * Those of an experiment for which no attempt was made since they were marked, nor since a time: one that is marked anew
 * again and again is tried once from then on. Those that hang are left to the passes of the cron.
 */
export async function untriedOf(
  db: D1Database,
  experimentId: string,
  since: number,
  limit: number,
): Promise<string[]> {
  return idsOf(await db.prepare(UNTRIED).bind(experimentId, since, limit).all<{ id: string }>());
}

/** How many runs of an experiment are to be followed, but hang, and were not tried since a time. */
export async function countPutOff(db: D1Database, experimentId: string, since: number): Promise<number> {
  return (await db.prepare(PUT_OFF).bind(experimentId, since).first<number>("n")) ?? 0;
}

/**
 * What came of the runs that were followed in a time, of one experiment or of all, each run's last attempt counted.
 * @param from the beginning of that time, and `until` its end, epoch milliseconds
 */
export async function followedIn(
  db: D1Database,
  { from, until }: { from: number; until: number },
  experimentId: string | null,
): Promise<Counts> {
  const { results } = await db
    .prepare(FOLLOWED)
    .bind(from, until, experimentId)
    .all<{ name: string; n: number }>();
  return Object.fromEntries(results.map(({ name, n }) => [name, n]));
}

function idsOf({ results }: D1Result<{ id: string }>): string[] {
  return results.map(({ id }) => id);
}

/** Marked and never tried is due since ever. */
const MARK = `
  update mlflow_runs set follow_at = 0
  where mlflow_run_id in (select value from json_each(?1)) and follow_at is not 0`;

const MARK_TAKEN_OVER = `
  update mlflow_runs set follow_at = ?4 where mlflow_run_id = ?3 and follow_at is null and ${heldBy(1, 2)}`;

const TAKE = `
  update mlflow_runs set follow_at = ?3, followed_at = ?2, followed = ?4, follow_hangs = min(follow_hangs + 1, ${HANGS_AGAIN})
  where mlflow_run_id = ?1 and follow_at <= ?2 and (follow_hangs < ${HANGS} or ${FEW_HANGING} > (
    select count(*) from (
      select 1 from mlflow_runs o
      where o.followed_at > ?2 - ${HANGING_MS} and o.followed_at <= ?2 and o.follow_hangs = ${HANGS_AGAIN}
        and o.follow_at is not null limit ${FEW_HANGING})))
  returning stream_id as streamId`;

const NOTE = `
  update mlflow_runs set followed_at = ?5, followed = ?4, follow_hangs = iif(?6, max(follow_hangs, ?6), 0),
    follow_at = iif(?3 and follow_at = ?2, null, follow_at)
  where mlflow_run_id = ?1`;

/** Each part by its own order in the index, so that no more is read than may be taken. @param hangs with as many hangs */
const dueWith = (hangs: readonly [number, number]) => `
  select id from (${hangs
    .map(
      (count) => `
    select * from (
      select mlflow_run_id as id, followed_at from mlflow_runs where follow_at = 0 and follow_hangs = ${count}
      order by followed_at limit ?2)
    union all`,
    )
    .join("")}
    select * from (
      select mlflow_run_id as id, followed_at from mlflow_runs
      where follow_at > 0 and follow_at <= ?1 and follow_hangs in (${hangs.join(", ")}) order by follow_at limit ?2))
  order by followed_at limit ?2`;

const DUE = dueWith([0, 1]);
const HANGING = dueWith([HANGS, HANGS_AGAIN]);

/** By its own index: the marks of all other experiments stand before it in the other one. */
const UNTRIED = `
  select mlflow_run_id as id from mlflow_runs indexed by mlflow_runs_untried
  where follow_at = 0 and follow_hangs < ${HANGS} and mlflow_experiment_id = ?1
    and (followed_at is null or followed_at < ?2)
  order by followed_at limit ?3`;

const PUT_OFF = `
  select count(*) as n from mlflow_runs indexed by mlflow_runs_to_follow
  where follow_at is not null and follow_hangs >= ${HANGS} and followed_at < ?2 and mlflow_experiment_id = ?1`;

const FOLLOWED = `
  select told.key as name, sum(told.value) as n
  from mlflow_runs r, json_each(r.followed) told
  where r.followed_at >= ?1 and r.followed_at < ?2 and (?3 is null or r.mlflow_experiment_id = ?3)
  group by told.key`;
