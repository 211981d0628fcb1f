import { NOW_MS, TOO_LATE } from "../sql.ts";

/**
 * Takes up what was put off, or is held, by a clock that was far ahead, a Worker's or the database's: it would rest until
 * that time has come. A write that may still land is waited for all the same.
 * @param landsMs for how long it may, at the most
 */
export async function takeUpPutOff(db: D1Database, landsMs: number): Promise<void> {
  await db.batch([
    ...[STREAMS, RECHECKS, JOBS, ...TABLES.map(rowsOf)].map((query) => db.prepare(query).bind(landsMs)),
    ...[MODEL_CREATES, PROBES, FOLLOWS].map((query) => db.prepare(query)),
  ]);
}

/** A column as it is, or what it is to be where it is too late. */
const inTime = (column: string, otherwise: string) =>
  `${column} = iif(${column} > ${TOO_LATE}, ${otherwise}, ${column})`;

const AFTER_LANDING = `${NOW_MS} + ?1`;

const STREAMS = `
  update streams set ${inTime("next_attempt_at", "0")}, ${inTime("poked_until", "0")},
    ${["fence_until", "lease_until", "calling_until"].map((column) => inTime(column, AFTER_LANDING)).join(", ")}
  where warm = 1 and max(next_attempt_at, poked_until, lease_until, coalesce(fence_until, 0),
    coalesce(calling_until, 0)) > ${TOO_LATE}`;

const RECHECKS = `update streams set recheck_at = ${AFTER_LANDING} where recheck_at > ${TOO_LATE}`;

const JOBS = `
  update jobs set ${inTime("due_at", "0")}, ${inTime("lease_until", AFTER_LANDING)}
  where state in ('queued', 'running') and max(due_at, lease_until) > ${TOO_LATE}`;

const TABLES = ["gateway_experiments", "gateway_models", "artifacts"];
const rowsOf = (table: string) => `
  update ${table} set ${inTime("next_attempt_at", "0")}, ${inTime("lease_until", AFTER_LANDING)}
  where delivered_version < version and max(next_attempt_at, lease_until) > ${TOO_LATE}`;

/** It may land until so long after it was sent. */
const MODEL_CREATES = `
  update gateway_models set create_sent_at = ${NOW_MS}
  where delivered_version < version and create_sent_at > ${TOO_LATE}`;

const PROBES = `update breakers set probe_at = 0 where state = 'open' and probe_at > ${TOO_LATE}`;

const FOLLOWS = `update mlflow_runs set follow_at = 0 where follow_at > ${TOO_LATE}`;
