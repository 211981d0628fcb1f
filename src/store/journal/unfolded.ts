import { and, asc, eq, max, type SQL, type SQLWrapper, sql } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import { emptyCore, withMarks } from "../../domain/core.ts";
import type { State, StoredPoint, Tag } from "../../domain/fold.ts";
import { REASON_KEYS } from "../../domain/reasons.ts";
import type { StoredEvent } from "../../domain/types.ts";
import { fromWire } from "../../domain/values.ts";
import { events, metricSummaries, modelRuns, params, streams, tags, trials } from "../schema/index.ts";
import { constant } from "../sql.ts";
import { readFacts } from "../stream/columns.ts";
import { readCore } from "../stream/core-column.ts";
import { chunksBetween, pointsOf } from "./chunk-points.ts";

/** How much of a stream's journal is read at once: `factsBytes` but for a single event that is larger. */
type Bounds = { events: number; points: number; factsBytes: number };

/** What the facts of one helping hold. */
export const MAX_FACTS_BYTES = 8_000_000;
/** One helping of a fold: enough to be worth the trip, little enough for a Worker's memory. */
const FOLDED_AT_ONCE: Bounds = { events: 5_000, points: 20_000, factsBytes: MAX_FACTS_BYTES };

export type Unfolded = {
  /** The watermark after this helping. */
  upto: number;
  events: StoredEvent[];
  points: StoredPoint[];
  /** The state so far, with every key that these events touch. */
  before: State;
  more: boolean;
};

/** The next events of a stream that are not in its query rows yet; null when there are none. */
export async function loadUnfolded(
  db: D1Database,
  { id, foldedSeq }: { id: number; foldedSeq: number },
): Promise<Unfolded | null> {
  const orm = drizzle(db);
  return unfoldedOf(await orm.batch(unfoldedQueries(orm, id, foldedSeq)));
}

/**
 * What `unfoldedOf` needs, for one batch: the events with their points, and of the state so far what they touch.
 * @param from the watermark, or a query for it
 */
export function unfoldedQueries(orm: DrizzleD1Database, id: number, from: number | SQL) {
  const helping = nextEvents(id, from, FOLDED_AT_ONCE);
  const chunks = chunksBetween(id, from, lastOfNext(id, from, FOLDED_AT_ONCE));
  // What is no JSON is found when the event is read.
  const keysOf = (path: string, column: "key" | "atom" = "key") => sql`
    select j.${sql.raw(column)} from events e, json_each(iif(json_valid(e.facts), e.facts, '{}'), ${path}) j
    where e.stream_id = ${id} and ${helping(sql`e.seq`)}`;
  // The tags of an end's reason come and go with it, whatever event changes it.
  const reasons = sql`select value from json_each(${JSON.stringify(REASON_KEYS)})`;
  const ofStream = (table: typeof params | typeof tags | typeof metricSummaries, keys: SQL) =>
    and(eq(table.streamId, id), sql`${table.key} in (${keys})`);
  return [
    orm
      .select({
        seq: events.seq,
        eventId: events.eventId,
        type: events.type,
        occurredAt: events.occurredAt,
        acceptedAt: events.acceptedAt,
        facts: events.facts,
      })
      .from(events)
      .where(and(eq(events.streamId, id), helping(events.seq)))
      .orderBy(asc(events.seq)),
    orm.select({ key: sql<string>`key`, points: sql<string>`points` }).from(sql`(${chunks})`),
    orm
      .select({
        core: sql<string | null>`coalesce(${trials.core}, ${modelRuns.core})`,
        maxStep: streams.maxStep,
        heardSeq: streams.heardSeq,
      })
      .from(streams)
      .leftJoin(trials, eq(trials.id, streams.id))
      .leftJoin(modelRuns, eq(modelRuns.id, streams.id))
      .where(eq(streams.id, id)),
    orm
      .select({ seq: max(events.seq) })
      .from(events)
      .where(eq(events.streamId, id)),
    orm
      .select()
      .from(params)
      .where(ofStream(params, sql`${keysOf("$.params")} union ${keysOf("$.corrections")}`)),
    orm
      .select()
      .from(tags)
      .where(
        ofStream(
          tags,
          sql`${keysOf("$.tags")} union ${keysOf("$.defaults")} union ${keysOf("$.untags", "atom")} union ${reasons}`,
        ),
      ),
    orm
      .select()
      .from(metricSummaries)
      .where(ofStream(metricSummaries, sql`${keysOf("$.finals")} union select key from (${chunks})`)),
  ] as const;
}

type Answers<T extends readonly { then: unknown }[]> = { [N in keyof T]: Awaited<T[N]> };

/** The next helping of the fold, from what its queries answered; null where nothing is left. */
export function unfoldedOf([rows, chunks, [stub], [newest], paramRows, tagRows, metricRows]: Answers<
  ReturnType<typeof unfoldedQueries>
>): Unfolded | null {
  const upto = rows.at(-1)?.seq;
  if (upto === undefined) return null;
  return {
    upto,
    events: rows.map((row) => ({
      seq: row.seq,
      id: row.eventId,
      type: row.type,
      occurredAt: row.occurredAt,
      acceptedAt: row.acceptedAt,
      facts: readFacts(row.facts),
    })),
    points: pointsOf(chunks, rows),
    before: {
      core: stub ? withMarks(readCore(stub.core), stub) : emptyCore,
      params: new Map(paramRows.map(({ key, value, seq }) => [key, { value, seq }])),
      tags: new Map(tagRows.map((row) => [row.key, tagOf(row)])),
      metrics: new Map(metricRows.map((row) => [row.key, summaryOf(row)])),
    },
    more: upto < (newest?.seq ?? 0),
  };
}

/** The condition on a column of `seq` for a stream's next events after `from`. */
export function nextEvents(streamId: number, from: number | SQL, most: Bounds): (seq: SQLWrapper) => SQL {
  return (seq) => sql`${seq} > ${from} and ${seq} <= ${lastOfNext(streamId, from, most)}`;
}

/**
 * The `seq` of the last of them, as many as may be read at once and always one: by their number, their points, and the
 * size of their facts, which the database adds up without reading them.
 */
export function lastOfNext(streamId: number, from: number | SQL, most: Bounds): SQL {
  return sql`(
    select max(seq) from (
      select seq, row_number() over so_far as n, sum(bytes) over so_far as bytes, sum(points) over so_far as points from (
        select seq, points, coalesce(octet_length(facts), 0) as bytes from events
        where stream_id = ${streamId} and seq > ${from} order by seq limit ${constant(most.events)})
      window so_far as (order by seq rows unbounded preceding))
    where n = 1 or (bytes <= ${most.factsBytes} and points <= ${most.points}))`;
}

/** A tag's row as the domain knows it. */
export function tagOf({ value, at, eventId, seq, removedAt }: typeof tags.$inferSelect): Tag {
  return { value: removedAt === null ? value : null, at, id: eventId, seq };
}

/** A summary row as the domain knows it. */
export function summaryOf(row: typeof metricSummaries.$inferSelect) {
  return {
    last: fromWire(row.last),
    lastStep: row.lastStep,
    lastTimestamp: row.lastTimestamp,
    min: row.min === null ? null : fromWire(row.min),
    max: row.max === null ? null : fromWire(row.max),
    count: row.count,
  };
}
