import { and, eq, isNull, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { KeptPoint, KeptText } from "../../domain/compare.ts";
import { IN_MLFLOW, IS_FOR_MLFLOW } from "../delivery/tag-in-mlflow.ts";
import { conflicts, metricSummaries, modelRuns, params, streams, tags, trials } from "../schema/index.ts";
import { keptLetters } from "./kept-letters.ts";

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
export async function keptKeys(db: D1Database, streamId: number): Promise<{ key: string; count: number }[]> {
  return drizzle(db)
    .select({ key: metricSummaries.key, count: metricSummaries.count })
    .from(metricSummaries)
    .where(eq(metricSummaries.streamId, streamId))
    .orderBy(metricSummaries.key);
}

/** The points of some keys within a window, in order of step, then time. */
export async function keptPoints(
  db: D1Database,
  streamId: number,
  keys: readonly string[],
  { after, upTo }: Window,
): Promise<(KeptPoint & { key: string })[]> {
  const bounds = [
    ...(after ? [{ condition: "and (step, timestamp) > (?, ?)", place: after }] : []),
    ...(upTo ? [{ condition: "and (step, timestamp) <= (?, ?)", place: upTo }] : []),
  ];
  const { results } = await db
    .prepare(
      `select key, seq, step, timestamp, value from metric_points
       where stream_id = ? and key in (select value from json_each(?))
       ${bounds.map(({ condition }) => condition).join(" ")}
       order by key, step, timestamp, value`,
    )
    .bind(streamId, JSON.stringify(keys), ...bounds.flatMap(({ place }) => [place.step, place.timestamp]))
    .all<KeptPoint & { key: string }>();
  return results;
}

/** Where a window of so many points ends; null when no more are left than that. */
export async function windowEnd(
  db: D1Database,
  streamId: number,
  key: string,
  after: Place | null,
  size: number,
): Promise<Place | null> {
  const bound = after ? "and (step, timestamp) > (?, ?)" : "";
  return db
    .prepare(
      `select step, timestamp from metric_points where stream_id = ? and key = ? ${bound}
       order by step, timestamp limit 1 offset ?`,
    )
    .bind(streamId, key, ...(after ? [after.step, after.timestamp] : []), size - 1)
    .first<Place>();
}

const textsOf = (table: typeof params | typeof tags) => ({
  key: table.key,
  value: table.value,
  seq: table.seq,
});

/** The tags of a stream, as MLflow is to have them. */
export async function keptTags(db: D1Database, streamId: number): Promise<KeptText[]> {
  return drizzle(db)
    .select({ ...textsOf(tags), value: IN_MLFLOW })
    .from(tags)
    .where(and(eq(tags.streamId, streamId), isNull(tags.removedAt), IS_FOR_MLFLOW));
}

/** Everything of a stream but its points, and what is known to be amiss with it. */
export async function keptRest(
  db: D1Database,
  stream: { id: number; kind: "trial" | "model_run" },
  seq: number,
  runStart: number | null,
) {
  const orm = drizzle(db);
  const table = stream.kind === "trial" ? trials : modelRuns;
  const refused = await keptLetters(db, stream.id);
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
