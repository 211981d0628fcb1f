import { NEXT_SEQ } from "./sql.ts";

/**
 * The journal's statements on events that are known by their content only (an end with a step, and neither an id nor a
 * time), each over `json_each(?1)` of stream key, event id and how often the request holds it again. They are stored like any other; then those that say
 * nothing new are taken back, so that what came between is judged by the journal itself.
 */

const GIVEN = "json_each(?1) j join streams s on s.key = j.value ->> 0";
const given = (e: string) =>
  `${GIVEN} join events ${e} on ${e}.stream_id = s.id and ${e}.event_id = j.value ->> 1`;

/** What the trial said of itself before an event, in order of acceptance; its metrics are no word of that kind. */
const wordBefore = (x: string, condition = "") => `(
  select p.seq from events p
  where p.stream_id = ${x}.stream_id and p.type <> 'ml.run.metric' and p.accepted_at <= ${x}.accepted_at
    and (p.accepted_at, p.seq) < (${x}.accepted_at, ${x}.seq) ${condition}
  order by p.accepted_at desc, p.seq desc limit 1)`;

/** When the last word of a trial whose journal was pruned up to here was said, if it was the same; else null. */
const prunedWordAt = (x: string) => `(
  select case when i.hash = unhex(${x}.body_hash) or i.event_id = 'sha256:' || ${x}.body_hash then i.said_at end from identities i
  where i.stream_id = ${x}.stream_id and i.said_at <= ${x}.accepted_at order by i.said_at desc, i.seq desc limit 1)`;

/** Whether it says anything of whether the trial goes on. */
const isOfStatus = (x: string) => `coalesce(${x}.facts ->> '$.ends', ${x}.facts ->> '$.resumes') is not null`;

/** When the end ended that an event spoke of. */
const endedAt = (x: string) => `coalesce(${x}.facts ->> '$.endedAt', ${x}.occurred_at)`;

/** The first event of a content brings its points; who that is stays known. */
export const KEEP_CONTENTS = `
  insert into identities (stream_id, event_id, seq)
  select x.stream_id, 'sha256:' || x.body_hash, x.seq from ${given("x")} where x.repeats = 0 order by x.seq
  on conflict do nothing`;

/** Marks what was said before, and is the last word still. */
export const MARK_SAID_AGAIN = `
  update events set repeats = -1 where (stream_id, seq) in (
    select x.stream_id, x.seq from ${given("x")}
    join identities c on c.stream_id = x.stream_id and c.event_id = 'sha256:' || x.body_hash and coalesce(c.seq, 0) < x.seq
    left join events w on w.stream_id = x.stream_id and w.seq = ${wordBefore("x")}
    where x.repeats = 0 and case when w.seq is null then ${prunedWordAt("x")} is not null else w.body_hash = x.body_hash end)`;

/** Notes it with the event that said it first, for a word that is on its way and was accepted in between. */
export const NOTE_SAID_AGAIN = `
  update events set repeats = repeats + r.times, said_again_at = max(coalesce(said_again_at, 0), r.at)
  from (
    select x.stream_id, ${wordBefore("x", "and p.repeats >= 0")} as first, sum(1 + (j.value ->> 2)) as times, max(x.accepted_at) as at
    from ${given("x")} where x.repeats = -1 group by x.stream_id, first) r
  where events.stream_id = r.stream_id and events.seq = r.first
  returning (select key from streams where id = stream_id) as key, body_hash as hash, event_id`;

export const TAKE_BACK = `
  delete from events where (stream_id, seq) in (select x.stream_id, x.seq from ${given("x")} where x.repeats = -1)
  returning (select key from streams where id = stream_id) as key, event_id, body_hash as hash`;

/**
 * What is news for its tags alone, as no other end and no resume came between, ends nothing anew: a request that is
 * sent again whole begins with a start.
 */
export const KEEP_ENDED = `
  update events set facts = json_set(facts, '$.endedAt', k.ended_at)
  from (
    select x.stream_id, x.seq, coalesce(min(${endedAt("p")}), ${prunedWordAt("x")}) as ended_at
    from ${given("x")}
    left join events b on b.stream_id = x.stream_id and b.seq = ${wordBefore("x", `and ${isOfStatus("p")} and p.body_hash <> x.body_hash`)}
    left join events p on p.stream_id = x.stream_id and p.type <> 'ml.run.metric' and p.body_hash = x.body_hash
      and (p.accepted_at, p.seq) < (x.accepted_at, x.seq)
      and (b.seq is null or (p.accepted_at, p.seq) > (b.accepted_at, b.seq))
    where x.repeats = 0 group by x.stream_id, x.seq having b.seq is null or p.seq is not null) k
  where events.stream_id = k.stream_id and events.seq = k.seq and k.ended_at is not null`;

/**
 * A word that was accepted between two that were the same, and comes after them, since it waited in the queue: the
 * second one was no repeat after all.
 */
export const SAY_AFTER_ALL = `
  insert into events (stream_id, seq, event_id, type, body_hash, occurred_at, accepted_at, correlation_id, facts)
  select w.stream_id, ${NEXT_SEQ}, w.event_id || ':' || w.said_again_at, w.type, w.body_hash, w.said_again_at, w.said_again_at,
    w.correlation_id,
    case when ${isOfStatus("e")} then json_remove(w.facts, '$.endedAt')
      else json_set(w.facts, '$.endedAt', ${endedAt("w")}) end
  from ${given("e")} join events w on w.stream_id = e.stream_id and w.seq = ${wordBefore("e")}
  where e.repeats = 0 and w.said_again_at > e.accepted_at and w.body_hash <> e.body_hash
  on conflict do nothing`;
