/**
 * How metric points are stored. A chunk is the points of one key of one stream that one statement brought, and of all that
 * came of the key up to it, in order of acceptance, no step is above its `top` and no time after its `latest`: these
 * never fall, so that a look for a point goes from the newest chunk back to the first where either is less.
 */

/** The events of a chunk are of one stretch of so many numbers of the journal, so that none is long. */
export const CHUNK_SEQS = 1_024;

/** From here on `n` counts the metrics of an end that came without a step. They are chunks of their own. */
export const FINALS_FROM = 1_000_000;

/**
 * Where a look for points may end: the `seq` below which no chunk of a key has one at a step or above it.
 * @param x a row with `stream_id` and `key`
 * @param timestamp where given, none at that time or after it either
 */
export const oldestWith = (x: string, step: string, timestamp?: string) => `coalesce((
  select old.seq from metric_chunks old
  where old.stream_id = ${x}.stream_id and old.key = ${x}.key
    and (old.top < ${step}${timestamp === undefined ? "" : ` or old.latest < ${timestamp}`})
  order by old.seq desc, old.n desc limit 1), 0)`;

/**
 * Whether a chunk `c` may have points like some that are told: of the key of a row `x`, at a step between two, and not
 * before a time. Of a training that counts up it is hardly any.
 */
export const mayHave = (x: string, low: string, high: string, earliest: string) => `
  c.stream_id = ${x}.stream_id and c.key = ${x}.key and c.seq >= ${oldestWith(x, low, earliest)}
  and c.max_step >= ${low} and c.min_step <= ${high}`;

/**
 * The `seq` of the last chunk of a key `key_of` that may have points of the events up to `upto`. Chunks lie one behind
 * the other, but for those of finals, each of which is of one event: of what lies beyond only the first can reach back.
 */
const LAST_OF_SPAN = `coalesce((
  select next.seq from metric_chunks next
  where next.stream_id = key_of.id and next.key = key_of.key and next.seq > key_of.upto
    and (next.first_seq < next.seq or next.n < ${FINALS_FROM})
  order by next.seq limit 1), key_of.upto)`;

/**
 * The chunks that have points of some events, as tables `key_of` and `chunk` behind a table `span` (id, after, upto) of
 * streams and the events of each that are meant, in a `with recursive`. Their other points are for the reader to leave
 * out. A few rows are read for each key of a stream, and the chunks.
 */
export const CHUNKS_OF_SPAN = `
  key_of (id, after, upto, key) as (
    select span.id, span.after, span.upto, (
      select c.key from metric_chunks c where c.stream_id = span.id order by c.key limit 1) from span
    union all
    select last.id, last.after, last.upto, (
      select c.key from metric_chunks c where c.stream_id = last.id and c.key > last.key order by c.key limit 1)
    from key_of last where last.key is not null),
  chunk as (
    select c.* from key_of cross join metric_chunks c
    where c.stream_id = key_of.id and c.key = key_of.key and c.seq > key_of.after
      and c.seq <= ${LAST_OF_SPAN} and c.first_seq <= key_of.upto)`;

/** Earlier than every point. */
const BEFORE_ALL = -(2 ** 53);

/** How new points are to be told from those that are there: they differ from them all, or they do but for the time. */
export const BY_ALL = 1;
export const BY_CONTENT = 2;

/**
 * Stores those of some points that are not there yet, neither before nor twice among them: the first keeps it.
 * @param given a query for rows of stream_id, seq, n, key, step, timestamp, value, json (the value's own text: what the
 *   database writes itself may have lost digits), known (`BY_ALL` or `BY_CONTENT`), and part: a chunk is of one
 */
export const insertChunks = (given: string) => `
  insert into metric_chunks (stream_id, key, seq, n, first_seq, min_step, max_step, top, latest, points)
  with given as materialized (${given}),
  span as (
    select stream_id, key, min(step) as low, max(step) as high,
      min(iif(known = ${BY_CONTENT}, ${BEFORE_ALL}, timestamp)) as earliest
    from given group by stream_id, key),
  held as (
    select c.stream_id, c.key, p.value ->> 2 as step, p.value ->> 3 as timestamp, p.value ->> 4 as value
    from span cross join metric_chunks c cross join json_each(c.points) p
    where ${mayHave("span", "span.low", "span.high", "span.earliest")}),
  told as (
    select *, row_number() over (partition by stream_id, key, step, timestamp, value order by known, seq, n) as same,
      row_number() over (partition by stream_id, key, step, value order by known, seq, n) as alike
    from (
      select stream_id, key, null as seq, null as n, step, timestamp, value, null as json, 0 as known, null as part from held
      union all
      select stream_id, key, seq, n, step, timestamp, value, json, known, part from given)),
  chunk as (
    select stream_id, key, max(seq) as seq, min(seq) as first_seq, min(step) as min_step, max(step) as max_step,
      max(timestamp) as latest,
      json_group_array(json_array(seq, n, step, timestamp, json(json)) order by seq, n) as points
    from told where case known when ${BY_ALL} then same when ${BY_CONTENT} then alike end = 1
    group by stream_id, key, part)
  select x.stream_id, x.key, x.seq, x.points ->> '$[#-1][1]', x.first_seq, x.min_step, x.max_step,
    max(max(x.max_step) over so_far, ${before("top")}), max(max(x.latest) over so_far, ${before("latest")}), x.points
  from chunk x
  where true
  window so_far as (partition by x.stream_id, x.key order by x.seq rows unbounded preceding)
  on conflict do nothing`;

/** What the chunk before one says. */
function before(column: "top" | "latest"): string {
  return `coalesce((
    select old.${column} from metric_chunks old
    where old.stream_id = x.stream_id and old.key = x.key and old.seq <= x.seq
    order by old.seq desc, old.n desc limit 1), ${BEFORE_ALL})`;
}
