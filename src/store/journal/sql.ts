import type { JournalEvent } from "../../domain/types.ts";
import { BY_ALL, BY_CONTENT, CHUNK_SEQS, insertChunks } from "./chunks.ts";

/** The journal's statements, each set-wise over `json_each(?1)`, and the rows they read by index. */

/** A row for `INSERT_EVENTS`. */
export function eventRow(event: JournalEvent) {
  return [
    event.stream.key,
    event.id,
    event.type,
    event.hash,
    event.occurredAt,
    event.acceptedAt,
    event.correlationId,
    event.facts === null ? null : JSON.stringify(event.facts),
    event.points.length + Object.keys(event.facts?.finals ?? {}).length,
    event.warnings ? JSON.stringify(event.warnings) : null,
  ];
}

/** Rows for `INSERT_POINTS`. */
export function pointRows(event: JournalEvent) {
  return event.points.map((point, n) => [
    event.stream.key,
    event.id,
    event.hash,
    n,
    point.key,
    point.step,
    point.timestamp,
    point.value,
    event.byContent ? BY_CONTENT : BY_ALL,
  ]);
}

// `where true` keeps SQLite's grammar from reading "on conflict" as a join condition.
export const INSERT_STREAMS = `
  insert into streams (key, kind, model_run_id, trial_id, created_at, updated_at, warm)
  select value ->> 0, value ->> 1, value ->> 2, value ->> 3, ?2, ?2, 1 from json_each(?1)
  where true on conflict (key) do nothing`;

export const INSERT_MODEL_RUNS = `
  insert into model_runs (id, model_run_id, created_at, updated_at)
  select s.id, s.model_run_id, ?2, ?2 from json_each(?1) j join streams s on s.key = j.value
  where true on conflict do nothing`;

export const INSERT_TRIALS = `
  insert into trials (id, key, model_run_id, trial_id, created_at, updated_at, warm)
  select s.id, s.key, s.model_run_id, s.trial_id, ?2, ?2, 1 from json_each(?1) j join streams s on s.key = j.value
  where true on conflict do nothing`;

/**
 * The next number of the stream `s`, by the rows `j` of the statement that take one: greater than any that it has given,
 * also where the events that had them are forgotten. It is the order of acceptance within the stream, and within it only.
 */
export const NEXT_SEQ = `
  max(s.last_seq, coalesce((select max(seq) from events where stream_id = s.id), 0)) + row_number() over (partition by s.id order by j.key)`;

/** Takes events in where a condition on their stream `s` holds. Only an event that was not there has no repeats. */
export const insertEvents = (condition: string) => `
  insert into events (stream_id, seq, event_id, type, body_hash, occurred_at, accepted_at, correlation_id, facts, points, warnings)
  select s.id, ${NEXT_SEQ}, j.value ->> 1, j.value ->> 2, j.value ->> 3, j.value ->> 4,
    j.value ->> 5, j.value ->> 6, j.value ->> 7, j.value ->> 8, j.value ->> 9
  from json_each(?1) j join streams s on s.key = j.value ->> 0
  where ${condition}
  on conflict (stream_id, event_id) do update set repeats = repeats + (body_hash = excluded.body_hash)
  returning (select key from streams where id = stream_id) as key, event_id, body_hash as hash, repeats`;

export const INSERT_EVENTS = insertEvents(`
  (s.pruned_at is null
    or not exists (select 1 from identities i where i.stream_id = s.id and i.event_id = j.value ->> 1))`);

/** So seldom is a number noted that no stream has reached. */
const SEQS_AHEAD = 10_000;

/**
 * An earlier build, which may run beside this one or take its place again, numbers the events of all streams from here:
 * it is kept ahead of every stream's own number.
 */
export const stayAhead = (streams: string) => `
  update tallies set value = n.seq + ${SEQS_AHEAD}
  from (select max((select max(seq) from events where stream_id = s.id)) as seq from ${streams}) n
  where name = 'journal.seq' and value < n.seq`;

const NAMED = "json_each(?1) j join streams s";
export const STAY_AHEAD = {
  byKey: stayAhead(`${NAMED} on s.key = j.value`),
  byId: stayAhead(`${NAMED} on s.id = j.value`),
};

/**
 * Nothing is taken from a repeat, nor from another body under the same id: only an event that was just stored has no
 * repeats. The points of what is known by its content are so too: nothing is taken from the same again.
 */
export const INSERT_POINTS = insertChunks(`
  select e.stream_id, e.seq, j.value ->> 3 as n, j.value ->> 4 as key, j.value ->> 5 as step, j.value ->> 6 as timestamp,
    j.value ->> 7 as value, j.value -> 7 as json, j.value ->> 8 as known,
    e.seq / ${CHUNK_SEQS} as part
  from json_each(?1) j join streams s on s.key = j.value ->> 0
  join events e on e.stream_id = s.id and e.event_id = j.value ->> 1 and e.body_hash = j.value ->> 2
  where e.repeats = 0 and (j.value ->> 8 = ${BY_ALL} or exists (select 1 from identities i
    where i.stream_id = s.id and i.event_id = 'sha256:' || e.body_hash and i.seq = e.seq))`);

/** The ids of events whose rows an earlier version has pruned. */
export const FIND_PRUNED = `
  select s.key, i.event_id, lower(hex(i.hash)) as hash
  from json_each(?1) j join streams s on s.key = j.value ->> 0
  join identities i on i.stream_id = s.id and i.event_id = j.value ->> 1`;

/** What a request itself holds more than once. */
export const COUNT_COPIES = `
  update events set repeats = repeats + j.copies
  from (select value ->> 0 as key, value ->> 1 as event_id, value ->> 2 as hash, value ->> 3 as copies from json_each(?1)) j
  join streams s on s.key = j.key
  where events.stream_id = s.id and events.event_id = j.event_id and events.body_hash = j.hash`;

const LAST_SEQ = "coalesce((select max(seq) from events where stream_id = streams.id), last_seq)";
/** All of this was there before, and is not folded: whoever wrote it may not have heard so, and sent no poke. */
const IS_SAID_AGAIN = `last_seq > folded_seq and last_seq = ${LAST_SEQ}`;

/** A stream that was poked a moment ago is not poked again, unless this is urgent, or that poke may never have been sent. */
export const markDirty = (condition: string) => `
  update streams set
    last_seq = ${LAST_SEQ},
    updated_at = ?2,
    heard_at = case when j.heard then ?2 else heard_at end,
    poked_until = case when poked_until < ?2 or j.urgent or (${IS_SAID_AGAIN}) then ?3 else poked_until end
  from (select value ->> 0 as key, value ->> 1 as urgent, value ->> 2 as heard from json_each(?1)) j
  where streams.key = j.key and ${condition}
  returning streams.id, streams.key, streams.poked_until`;

export const MARK_DIRTY = markDirty("true");
