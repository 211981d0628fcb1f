import { IS_GONE, UNBLOCK_AFRESH } from "../delivery/blocked.ts";
import { NEXT_SEQ, stayAhead } from "../journal/sql.ts";
import { isBuried } from "./ghosts.ts";

/** MLflow deletes and restores an experiment with all its runs, also with those that are meant to be otherwise. */

/**
 * Has MLflow told anew, as an event of its journal, whether a run is deleted.
 * @param streams SQL for the streams of such runs, as `stream_id`, by what is bound but ?2, the time
 */
export function saidAnew(streams: string): string[] {
  return [
    `insert into events (stream_id, seq, event_id, type, body_hash, occurred_at, accepted_at, correlation_id, facts, points)
     select s.id, ${NEXT_SEQ}, j.key, 'mlflow.run.lifecycle', j.key, ?2, ?2, j.key, json_object('lifecycle', j.lifecycle), 0
     from (select stream_id, lifecycle, lower(hex(randomblob(16))) as key
       from gateway_runs where stream_id in (${streams})) j
     join streams s on s.id = j.stream_id`,
    `${stayAhead(`(${streams}) j join streams s on s.id = j.stream_id`)} and ?2`,
    `update streams set last_seq = (select max(seq) from events where stream_id = streams.id), updated_at = ?2
     where id in (${streams})`,
  ];
}

/** Runs that MLflow has just led along with their experiment, which stays as it is there, though they are meant to be otherwise. */
const LED_ALONG = `
  select g.stream_id from gateway_experiments x join gateway_runs g on g.experiment_id = x.id
  join streams s on s.id = g.stream_id and s.mlflow_run_id is not null
  where x.id = ?1 and x.lease_token = ?3 and x.lifecycle = x.sent ->> '$.lifecycle' and g.lifecycle <> x.lifecycle
    and not ${isBuried("g")}`;

/** Has MLflow told of the runs that it led along, once it is written down that their experiment went; their streams. */
export function sayLedAlong(
  db: D1Database,
  { id, token }: { id: string; token: string },
  now: number,
): D1PreparedStatement[] {
  const goOn = `
    update streams set ${UNBLOCK_AFRESH}, updated_at = ?2
    where id in (${LED_ALONG}) and (blocked_kind is null or ${IS_GONE}) returning id`;
  return [...saidAnew(LED_ALONG), goOn].map((query) => db.prepare(query).bind(id, now, token));
}
