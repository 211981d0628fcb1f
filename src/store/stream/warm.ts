/**
 * Streams and trials of which something was heard lately, or that have something to do, are warm (`streams.warm`): all
 * who look for such ask the indexes of the warm ones, whose rows are written when a trial begins, and not with its events.
 */

/** Streams with events that MLflow has not. */
export const behind = (stream = "streams") =>
  `${stream}.warm = 1 and ${stream}.delivered_seq < ${stream}.last_seq`;

/** Those with batches that MLflow took and nobody has seen there yet. */
export const UNCONFIRMED = "streams.warm = 1 and streams.unconfirmed is not null";

/** The pass of the cron after the next finds cold what nothing came of since. */
const WARM_MS = 8 * 60_000;
/** A trial that goes on may be heard of once an epoch: each time that it is cooled, and warm again, writes all its indexes. */
const RUNNING_WARM_MS = 50 * 60_000;
/** So many at most in one pass. */
const MAX_COOLED = 20_000;

/** Takes the mark from what has nothing to do and was not heard of for some minutes. */
export async function cool(db: D1Database, now: number): Promise<void> {
  await db.batch(
    [COOL_STREAMS, COOL_TRIALS].map((query) => db.prepare(query).bind(now - WARM_MS, MAX_COOLED)),
  );
}

const COOL_STREAMS = `
  update streams set warm = 0 where id in (
    select id from streams
    where warm = 1 and delivered_seq >= last_seq and unconfirmed is null and updated_at < ?1 limit ?2)`;

/** While a trial is warm, what comes of it moves its stream's time only. */
const COOL_TRIALS = `
  update trials set warm = 0, updated_at = max(updated_at, (select s.updated_at from streams s where s.id = trials.id))
  where id in (
    select t.id from trials t join streams s on s.id = t.id
    where t.warm = 1
      and max(t.updated_at, s.updated_at) < ?1 - iif(t.status = 'running', ${RUNNING_WARM_MS - WARM_MS}, 0) limit ?2)`;
