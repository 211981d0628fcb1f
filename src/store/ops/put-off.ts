import { NOW_MS } from "../sql.ts";

/** Nothing is put off for so long: no setting allows more than an hour. */
const TOO_LONG_MS = 2 * 3_600_000;
const TOO_LATE = `${NOW_MS} + ${TOO_LONG_MS}`;

/**
 * Takes up what a Worker has put off by a clock that was far ahead of the database's: it would rest until that time has
 * come. A write that may still land is waited for all the same.
 * @param landsMs for how long it may, at the most
 */
export async function takeUpPutOff(db: D1Database, landsMs: number): Promise<void> {
  await db.batch([
    db.prepare(STREAMS).bind(landsMs),
    db.prepare(`update breakers set probe_at = 0 where state = 'open' and probe_at > ${TOO_LATE}`),
    ...["gateway_experiments", "gateway_models", "artifacts"].map((table) =>
      db.prepare(
        `update ${table} set next_attempt_at = 0 where delivered_version < version and next_attempt_at > ${TOO_LATE}`,
      ),
    ),
  ]);
}

const STREAMS = `
  update streams set next_attempt_at = iif(next_attempt_at > ${TOO_LATE}, 0, next_attempt_at),
    poked_until = iif(poked_until > ${TOO_LATE}, 0, poked_until),
    fence_until = iif(fence_until > ${TOO_LATE}, ${NOW_MS} + ?1, fence_until)
  where warm = 1 and max(next_attempt_at, poked_until, coalesce(fence_until, 0)) > ${TOO_LATE}`;
