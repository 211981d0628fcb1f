import { and, eq, isNull, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { ExpectedPoint, ExpectedText } from "../../domain/compare.ts";
import { IN_MLFLOW, IS_FOR_MLFLOW } from "../delivery/tag-in-mlflow.ts";
import { readPoints } from "../journal/chunk-points.ts";
import { oldestWith } from "../journal/chunks.ts";
import { conflicts, metricSummaries, modelRuns, params, streams, tags, trials } from "../schema/index.ts";
import { expectedLetters } from "./expected-letters.ts";

/** What the journal holds of a stream, to be compared with what MLflow has. */

/** A place in the points of a key, which are in order of step, then time. */
export type Place = { step: number; timestamp: number };
/** The points of a key after one place, up to another; null is open. */
export type Window = { after: Place | null; upTo: Place | null };

/** The stream's row by its number. */
export async function streamRow(db: D1Database, id: number) {
  return drizzle(db).select().from(streams).where(eq(streams.id, id)).get();
}

/** The metrics of a stream, in order of key, and about how many points each has. */
export async function expectedKeys(
  db: D1Database,
  streamId: number,
): Promise<{ key: string; count: number }[]> {
  return drizzle(db)
    .select({ key: metricSummaries.key, count: metricSummaries.count })
    .from(metricSummaries)
    .where(eq(metricSummaries.streamId, streamId))
    .orderBy(metricSummaries.key);
}

/** The points of some keys within a window, in order of step, then time. */
export async function expectedPoints(
  db: D1Database,
  streamId: number,
  keys: readonly string[],
  { after, upTo }: Window,
): Promise<(ExpectedPoint & { key: string })[]> {
  const { results } = await db
    .prepare(WITHIN)
    .bind(streamId, JSON.stringify(keys), ...bounds(after), ...bounds(upTo))
    .all<{ key: string; points: string }>();
  return results
    .flatMap(({ key, points }) => readPoints(points).map((point) => ({ key, ...point })))
    .sort((a, b) => a.step - b.step || a.timestamp - b.timestamp);
}

/** Where a window of so many points ends; null when no more are left than that. */
export async function windowEnd(
  db: D1Database,
  streamId: number,
  key: string,
  after: Place | null,
  size: number,
): Promise<Place | null> {
  return db
    .prepare(END)
    .bind(streamId, JSON.stringify([key]), ...bounds(after), size - 1)
    .first<Place>();
}

/** The chunks of the keys of ?2 that may have points after the place of ?3 and ?4; null is open. */
const CHUNKS_AFTER = `
  from (select ?1 as stream_id, value as key from json_each(?2)) k cross join metric_chunks c
  where c.stream_id = k.stream_id and c.key = k.key and c.seq >= iif(?3 is null, 0, ${oldestWith("k", "?3")})
    and (?3 is null or c.max_step >= ?3)`;

const PLACE = "(p.value ->> 2, p.value ->> 3)";
const IS_AFTER = `(?3 is null or ${PLACE} > (?3, ?4))`;

/** One text for many chunks takes D1 far less time than a row each. None is longer than this and a chunk, in characters. */
const TEXT_LENGTH = 500_000;

/** Most chunks are in the window as a whole, and need not be looked into. */
const WITHIN = `
  with within as (
    select c.key, iif((?3 is null or c.min_step > ?3) and (?5 is null or c.max_step < ?5), c.points, (
      select json_group_array(json(p.value)) from json_each(c.points) p
      where ${IS_AFTER} and (?5 is null or ${PLACE} <= (?5, ?6)))) as points
    ${CHUNKS_AFTER} and (?5 is null or c.min_step <= ?5)),
  numbered as (
    select key, points, sum(length(points)) over (rows unbounded preceding) / ${TEXT_LENGTH} as text
    from within where points <> '[]')
  select key, '[' || group_concat(substr(points, 2, length(points) - 2)) || ']' as points
  from numbered group by key, text`;

const END = `
  select p.value ->> 2 as step, p.value ->> 3 as timestamp
  from (select c.points ${CHUNKS_AFTER}) c cross join json_each(c.points) p where ${IS_AFTER}
  order by 1, 2 limit 1 offset ?5`;

const bounds = (place: Place | null) => [place?.step ?? null, place?.timestamp ?? null];

const textsOf = (table: typeof params | typeof tags) => ({
  key: table.key,
  value: table.value,
  seq: table.seq,
});

/** The tags of a stream, as MLflow is to have them. */
export async function expectedTags(db: D1Database, streamId: number): Promise<ExpectedText[]> {
  return drizzle(db)
    .select({ ...textsOf(tags), value: IN_MLFLOW })
    .from(tags)
    .where(and(eq(tags.streamId, streamId), isNull(tags.removedAt), IS_FOR_MLFLOW));
}

/** Everything of a stream but its points, and what is known to be amiss with it. */
export async function expectedRest(
  db: D1Database,
  stream: { id: number; kind: "trial" | "model_run" },
  seq: number,
  runStart: number | null,
) {
  const orm = drizzle(db);
  const table = stream.kind === "trial" ? trials : modelRuns;
  const refused = await expectedLetters(db, stream.id);
  const [[row], [folded], paramRows, tagRows, conflictRows, [counted]] = await orm.batch([
    orm.select().from(streams).where(eq(streams.id, stream.id)),
    orm.select({ core: table.core }).from(table).where(eq(table.id, stream.id)),
    orm.select(textsOf(params)).from(params).where(eq(params.streamId, stream.id)),
    orm
      .select({ ...textsOf(tags), value: IN_MLFLOW })
      .from(tags)
      .where(and(eq(tags.streamId, stream.id), isNull(tags.removedAt), IS_FOR_MLFLOW)),
    orm
      .select({ key: conflicts.field, refused: conflicts.refused })
      .from(conflicts)
      .where(
        and(eq(conflicts.streamId, stream.id), eq(conflicts.kind, "param"), eq(conflicts.source, "mlflow")),
      ),
    orm
      .select({
        undelivered: sql<number>`(select count(*) from events where stream_id = ${stream.id} and seq > ${seq})`,
        saidAtStart: sql<number>`(select count(*) from events where stream_id = ${stream.id}
          and occurred_at = ${runStart} and type not like 'relay.%' limit 1)`,
      })
      .from(sql`(select 1)`),
  ]);
  if (!row) throw new Error(`stream ${stream.id} is gone`);
  return {
    stream: row,
    core: folded?.core ?? null,
    params: paramRows,
    tags: tagRows,
    ...refused,
    refusedParams: conflictRows,
    undeliveredEvents: counted?.undelivered ?? 0,
    /** Whether the trainer said anything for the time at which MLflow's run starts. */
    isStartSaid: (counted?.saidAtStart ?? 0) > 0,
  };
}
