import { and, asc, eq, gt, lte, max, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { State, StoredPoint, Tag } from "../domain/fold.ts";
import { REASON_KEYS } from "../domain/reasons.ts";
import type { StoredEvent } from "../domain/types.ts";
import { fromWire } from "../domain/values.ts";
import { readFacts } from "./columns.ts";
import { readCore } from "./core-column.ts";
import { events, metricPoints, metricSummaries, modelRuns, params, tags, trials } from "./schema.ts";

/** One helping of a fold: enough to be worth the trip, little enough for a Worker's memory. */
const MAX_EVENTS = 2_000;
const MAX_POINTS = 20_000;
/** What the facts of one helping hold, but for a single event that is larger. */
const MAX_FACTS_BYTES = 8_000_000;
/** D1 binds a hundred parameters; a list of keys goes in as one JSON text instead. */
const inKeys = (keys: readonly string[]) => sql`(select value from json_each(${JSON.stringify(keys)}))`;

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
  stream: { id: number; kind: "trial" | "model_run"; foldedSeq: number },
): Promise<Unfolded | null> {
  const orm = drizzle(db);
  const table = stream.kind === "trial" ? trials : modelRuns;
  const [rows, [stub], [newest]] = await orm.batch([
    orm
      .select({
        seq: events.seq,
        eventId: events.eventId,
        type: events.type,
        occurredAt: events.occurredAt,
        acceptedAt: events.acceptedAt,
        facts: events.facts,
        points: events.points,
      })
      .from(events)
      .where(nextEvents(stream.id, stream.foldedSeq, MAX_EVENTS))
      .orderBy(asc(events.seq)),
    orm.select({ core: table.core }).from(table).where(eq(table.id, stream.id)),
    orm
      .select({ seq: max(events.seq) })
      .from(events)
      .where(eq(events.streamId, stream.id)),
  ]);
  const helping = rows.slice(0, helpingLength(rows.map((row) => row.points)));
  const last = helping.at(-1);
  if (!last) return null;
  const stored = helping.map(
    (row): StoredEvent => ({
      seq: row.seq,
      id: row.eventId,
      type: row.type,
      occurredAt: row.occurredAt,
      acceptedAt: row.acceptedAt,
      facts: readFacts(row.facts),
    }),
  );
  const points = await orm
    .select({
      seq: metricPoints.seq,
      key: metricPoints.key,
      value: metricPoints.value,
      step: metricPoints.step,
      timestamp: metricPoints.timestamp,
    })
    .from(metricPoints)
    .where(
      and(
        eq(metricPoints.streamId, stream.id),
        gt(metricPoints.seq, stream.foldedSeq),
        lte(metricPoints.seq, last.seq),
      ),
    );
  const before = await loadState(db, stream.id, stub?.core ?? null, stored, points);
  return {
    upto: last.seq,
    events: stored,
    points,
    before,
    more: last.seq < (newest?.seq ?? 0),
  };
}

/**
 * The condition for a stream's next events after `from`, as many as may be read at once: by their number, and by the
 * size of their facts, which the database adds up without reading them.
 */
export function nextEvents(
  streamId: number,
  from: number,
  maxEvents: number,
  maxBytes = MAX_FACTS_BYTES,
): SQL {
  return sql`${events.streamId} = ${streamId} and ${events.seq} > ${from} and ${events.seq} <= (
    select max(seq) from (
      select seq, row_number() over so_far as n, sum(bytes) over so_far as bytes from (
        select seq, coalesce(octet_length(facts), 0) as bytes from events
        where stream_id = ${streamId} and seq > ${from} order by seq limit ${maxEvents})
      window so_far as (order by seq rows unbounded preceding))
    where n = 1 or bytes <= ${maxBytes})`;
}

/** How many of the events fit into one helping; always at least one. */
export function helpingLength(pointCounts: readonly number[], maxPoints = MAX_POINTS): number {
  let sum = 0;
  const over = pointCounts.findIndex((count, i) => {
    sum += count;
    return i > 0 && sum > maxPoints;
  });
  return over === -1 ? pointCounts.length : over;
}

async function loadState(
  db: D1Database,
  streamId: number,
  core: string | null,
  stored: readonly StoredEvent[],
  points: readonly StoredPoint[],
): Promise<State> {
  const touched = (pick: (event: StoredEvent) => object | undefined) => [
    ...new Set(stored.flatMap((event) => Object.keys(pick(event) ?? {}))),
  ];
  const metricKeys = new Set([
    ...touched((event) => event.facts?.finals),
    ...points.map((point) => point.key),
  ]);
  const tagKeys = new Set([
    ...touched((event) => event.facts?.tags),
    ...stored.flatMap((event) => event.facts?.untags ?? []),
    // They come and go with the end that they belong to, whatever event changes it.
    ...REASON_KEYS,
  ]);
  const orm = drizzle(db);
  const [paramRows, tagRows, metricRows] = await orm.batch([
    orm
      .select()
      .from(params)
      .where(
        and(
          eq(params.streamId, streamId),
          sql`${params.key} in ${inKeys(touched((e) => ({ ...e.facts?.params, ...e.facts?.corrections })))}`,
        ),
      ),
    orm
      .select()
      .from(tags)
      .where(and(eq(tags.streamId, streamId), sql`${tags.key} in ${inKeys([...tagKeys])}`)),
    orm
      .select()
      .from(metricSummaries)
      .where(
        and(
          eq(metricSummaries.streamId, streamId),
          sql`${metricSummaries.key} in ${inKeys([...metricKeys])}`,
        ),
      ),
  ]);
  return {
    core: readCore(core),
    params: new Map(paramRows.map(({ key, value, seq }) => [key, { value, seq }])),
    tags: new Map(tagRows.map((row) => [row.key, tagOf(row)])),
    metrics: new Map(metricRows.map((row) => [row.key, summaryOf(row)])),
  };
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
