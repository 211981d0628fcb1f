import { and, asc, eq, max, type SQL, type SQLWrapper, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { emptyCore, withMarks } from "../../domain/core.ts";
import type { State, StoredPoint, Tag } from "../../domain/fold.ts";
import { REASON_KEYS } from "../../domain/reasons.ts";
import type { StoredEvent } from "../../domain/types.ts";
import { fromWire } from "../../domain/values.ts";
import { type At, fixed } from "../fixed.ts";
import { events, metricSummaries, modelRuns, params, streams, tags, trials } from "../schema/index.ts";
import { readFacts } from "../stream/columns.ts";
import { readCore } from "../stream/core-column.ts";
import { chunksBetween, pointsOf } from "./chunk-points.ts";

/** How much of a stream's journal is read at once: `factsBytes` but for a single event that is larger. */
type Bounds = { events: number; points: number | SQLWrapper; factsBytes: number };

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
  return unfoldedOf(await drizzle(db).batch(unfoldedQueries(db, id, foldedSeq)));
}

/** The last event that is folded: `from`, or where that is null, what the stream's row says. */
const folded = (at: At<"id" | "from">) =>
  sql`coalesce(${at("from")}, (select ${streams.foldedSeq} from ${streams} where ${streams.id} = ${at("id")}))`;

const helping = (at: At<"id" | "from">) => nextEvents(at("id"), folded(at), FOLDED_AT_ONCE);
const chunksOf = (at: At<"id" | "from">) =>
  chunksBetween(at("id"), folded(at), lastOfNext(at("id"), folded(at), FOLDED_AT_ONCE));

/** The keys in the facts of these events. What is no JSON is found when the event is read. */
const keysOf = (at: At<"id" | "from">, path: string, column: "key" | "atom" = "key") => sql`
  select j.${sql.raw(column)} from events e, json_each(iif(json_valid(e.facts), e.facts, '{}'), ${path}) j
  where e.stream_id = ${at("id")} and ${helping(at)(sql`e.seq`)}`;

const nextRows = fixed((orm, at: At<"id" | "from">) =>
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
    .where(and(eq(events.streamId, at("id")), helping(at)(events.seq)))
    .orderBy(asc(events.seq)),
);

const nextChunks = fixed((orm, at: At<"id" | "from">) =>
  orm.select({ key: sql<string>`key`, points: sql<string>`points` }).from(sql`(${chunksOf(at)})`),
);

const stubRow = fixed((orm, at: At<"id">) =>
  orm
    .select({
      core: sql<string | null>`coalesce(${trials.core}, ${modelRuns.core})`,
      maxStep: streams.maxStep,
      heardSeq: streams.heardSeq,
    })
    .from(streams)
    .leftJoin(trials, eq(trials.id, streams.id))
    .leftJoin(modelRuns, eq(modelRuns.id, streams.id))
    .where(eq(streams.id, at("id"))),
);

const newestSeq = fixed((orm, at: At<"id">) =>
  orm
    .select({ seq: max(events.seq) })
    .from(events)
    .where(eq(events.streamId, at("id"))),
);

const touchedParams = fixed((orm, at: At<"id" | "from">) => {
  const keys = sql`${keysOf(at, "$.params")} union ${keysOf(at, "$.corrections")}`;
  return orm
    .select()
    .from(params)
    .where(and(eq(params.streamId, at("id")), sql`${params.key} in (${keys})`));
});

const touchedTags = fixed((orm, at: At<"id" | "from">) => {
  // The tags of an end's reason come and go with it, whatever event changes it.
  const reasons = sql`select value from json_each(${JSON.stringify(REASON_KEYS)})`;
  const keys = sql`${keysOf(at, "$.tags")} union ${keysOf(at, "$.defaults")} union ${keysOf(at, "$.untags", "atom")}`;
  return orm
    .select()
    .from(tags)
    .where(and(eq(tags.streamId, at("id")), sql`${tags.key} in (${keys} union ${reasons})`));
});

const touchedMetrics = fixed((orm, at: At<"id" | "from">) => {
  const keys = sql`${keysOf(at, "$.finals")} union select key from (${chunksOf(at)})`;
  return orm
    .select()
    .from(metricSummaries)
    .where(and(eq(metricSummaries.streamId, at("id")), sql`${metricSummaries.key} in (${keys})`));
});

/**
 * What `unfoldedOf` needs, for one batch: the events with their points, and of the state so far what they touch.
 * @param from the watermark; null: the one in the stream's row
 */
export function unfoldedQueries(db: D1Database, id: number, from: number | null) {
  const values = { id, from };
  return [
    nextRows(db, values),
    nextChunks(db, values),
    stubRow(db, values),
    newestSeq(db, values),
    touchedParams(db, values),
    touchedTags(db, values),
    touchedMetrics(db, values),
  ] as const;
}

type Answers<T extends readonly { _: { result: unknown } }[]> = { [N in keyof T]: T[N]["_"]["result"] };

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
export function nextEvents(streamId: SQLWrapper, from: SQLWrapper, most: Bounds): (seq: SQLWrapper) => SQL {
  return (seq) => sql`${seq} > ${from} and ${seq} <= ${lastOfNext(streamId, from, most)}`;
}

/**
 * The `seq` of the last of them, as many as may be read at once and always one: by their number, their points, and the
 * size of their facts, which the database adds up without reading them.
 */
export function lastOfNext(streamId: SQLWrapper, from: SQLWrapper, most: Bounds): SQL {
  return sql`(
    select max(seq) from (
      select seq, row_number() over so_far as n, sum(bytes) over so_far as bytes, sum(points) over so_far as points from (
        select seq, points, coalesce(octet_length(facts), 0) as bytes from events
        where stream_id = ${streamId} and seq > ${from} order by seq limit ${most.events})
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
