import type { RelayEventType } from "../../domain/types.ts";
import { BY_ALL, insertChunks, mayHave } from "../journal/chunks.ts";
import { NEXT_SEQ, STAY_AHEAD } from "../journal/sql.ts";
import { overRows } from "../sql.ts";

const REPLAY_EVENT: RelayEventType = "relay.replay";

/** Dead letters of one stream that go on their way together, each with the item that is to go. */
export type Replay = {
  streamId: number;
  letters: { id: number; kind: "metric" | "param" | "tag"; item: string }[];
  /** Whether an operator wrote the items in place of those that were refused. */
  edited: boolean;
};

/**
 * Puts refused items on their way again, all or nothing: an event of the relay's own in the stream's journal takes
 * them over, so that delivery plans them like any new event's. It lies beyond what a turn that is under way can mark
 * as delivered. A tag that has another value by now stays as it is.
 * @returns the letters that were settled; of two replays of the same letter at once one settles none
 */
export async function storeReplays(
  db: D1Database,
  replays: readonly Replay[],
  now: number,
): Promise<number[]> {
  const named = replays.map((replay) => ({ ...replay, eventId: `relay:replay:${crypto.randomUUID()}` }));
  const events = named.map(({ streamId, eventId, letters, edited }) => {
    const ids = letters.map(({ id }) => id);
    const about = {
      dead_letters: ids,
      ...(edited ? { edited: letters.map(({ item }) => JSON.parse(item)) } : {}),
    };
    return [streamId, eventId, ids, about, letters.filter(({ kind }) => kind === "metric").length];
  });
  const items = named.flatMap(({ streamId, eventId, letters }) =>
    letters.map(({ id, item }, n) => [streamId, eventId, id, n, item]),
  );
  const ids = JSON.stringify(named.map(({ streamId }) => streamId));
  const settled = overRows(db, SETTLE_LETTERS, items, now);
  const results = await db.batch<{ id: number }>([
    ...overRows(db, INSERT_EVENTS, events, now),
    db.prepare(STAY_AHEAD.byId).bind(ids),
    ...[UNCOUNT, FORGET_EMPTY, TAKE_POINTS, DELETE_EMPTY, INSERT_POINTS, MOVE_PARAMS, MOVE_TAGS].flatMap(
      (query) => overRows(db, query, items),
    ),
    ...overRows(db, MARK_BEHIND, events),
    ...settled,
  ]);
  return results.slice(-settled.length).flatMap((result) => result.results.map((row) => row.id));
}

/** Only where every letter is still there to be replayed; the other statements ask for this event. */
const INSERT_EVENTS = `
  insert into events (stream_id, seq, event_id, type, body_hash, occurred_at, accepted_at, correlation_id, facts, points)
  select s.id, ${NEXT_SEQ}, j.value ->> 1, '${REPLAY_EVENT}', j.value ->> 1, ?2, ?2, j.value ->> 1,
    json_object('about', j.value -> 3), j.value ->> 4
  from json_each(?1) j join streams s on s.id = j.value ->> 0
  where not exists (
    select 1 from json_each(j.value -> 2) i left join dead_letters d on d.id = i.value
    where d.state is null or d.state = 'replayed')`;

const TAKEN = "join events e on e.stream_id = j.value ->> 0 and e.event_id = j.value ->> 1";

/** What was refused (key, value, step, timestamp) and what goes in its place (item), by letters of one kind. */
const moves = (kind: string) => `
  (select e.stream_id, e.seq, j.value ->> 3 as n, j.value ->> 4 as item, d.item ->> '$.key' as key,
    d.item ->> '$.value' as value, d.item ->> '$.step' as step, d.item ->> '$.timestamp' as timestamp
   from json_each(?1) j ${TAKEN} join dead_letters d on d.id = j.value ->> 2 where d.kind = '${kind}') m`;

/** The fold counted the points when they came first, and counts them again with the new event. */
const UNCOUNT = `
  update metric_summaries set count = metric_summaries.count - m.points
  from (select stream_id, key, count(*) as points from ${moves("metric")} group by stream_id, key) m
  where metric_summaries.stream_id = m.stream_id and metric_summaries.key = m.key`;

const FORGET_EMPTY = `
  delete from metric_summaries
  where count <= 0 and (stream_id, key) in (select stream_id, key from ${moves("metric")})`;

/** The chunks that may have the points that were refused, each point beside them. */
const CHUNKS_OF_MOVED = `
  ${moves("metric")} cross join metric_chunks c
  where ${mayHave("m", "m.step", "m.step", "m.timestamp")}`;

const isMoved = (chunk: string, point: string) => `
  m.stream_id = ${chunk}.stream_id and m.key = ${chunk}.key and m.step = ${point} ->> 2 and m.timestamp = ${point} ->> 3
  and m.value = ${point} ->> 4`;

/** What is left of a chunk stays in it, whose bounds may then be wider than need be. */
const TAKE_POINTS = `
  with moved as materialized (select * from ${moves("metric")})
  update metric_chunks set points = (
    select json_group_array(json(p.value) order by p.key) from json_each(metric_chunks.points) p
    where not exists (select 1 from moved m where ${isMoved("metric_chunks", "p.value")}))
  where (stream_id, key, seq, n) in (
    select c.stream_id, c.key, c.seq, c.n from ${CHUNKS_OF_MOVED}
      and exists (select 1 from json_each(c.points) p where ${isMoved("c", "p.value")}))`;

const DELETE_EMPTY = `
  delete from metric_chunks where (stream_id, key, seq, n) in (
    select c.stream_id, c.key, c.seq, c.n from ${CHUNKS_OF_MOVED} and octet_length(c.points) = octet_length('[]'))`;

/** A point may have been pruned here since; its letter has it still. */
const INSERT_POINTS = insertChunks(`
  select stream_id, seq, n, item ->> '$.key' as key, item ->> '$.step' as step, item ->> '$.timestamp' as timestamp,
    item ->> '$.value' as value, item -> '$.value' as json, ${BY_ALL} as known, seq as part
  from ${moves("metric")}`);

const moveTexts = (table: "params" | "tags", kind: string) => `
  update or ignore ${table} set seq = m.seq, key = m.item ->> '$.key', value = m.item ->> '$.value'
  from ${moves(kind)}
  where ${table}.stream_id = m.stream_id and ${table}.key = m.key and ${table}.value = m.value`;

const MOVE_PARAMS = moveTexts("params", "param");
const MOVE_TAGS = moveTexts("tags", "tag");

/** An operator's request is delivered although automatic delivery may be off. */
const MARK_BEHIND = `
  update streams set last_seq = e.seq, forced = 1
  from (select e.stream_id, e.seq from json_each(?1) j ${TAKEN}) e where streams.id = e.stream_id`;

const SETTLE_LETTERS = `
  update dead_letters set state = 'replayed', settled_at = ?2
  where id in (select j.value ->> 2 from json_each(?1) j ${TAKEN})
  returning id`;
