import { and, asc, eq, gt, isNull, lte, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { FULL_BATCH_POINTS, type Items, packBatches } from "../mlflow/plan.ts";
import type { Batch } from "./batches.ts";
import { readFinals } from "./columns.ts";
import { HELD, type Lease, type StreamRow } from "./leases.ts";
import { agreed, events, metricPoints, params, tags } from "./schema.ts";
import { NOW_MS, overRows } from "./sql.ts";
import { helpingLength, nextEvents } from "./unfolded.ts";

/** A helping of delivery: a few full batches, planned while those before it are sent. */
const MAX_EVENTS = 4 * FULL_BATCH_POINTS;
const MAX_POINTS = 4 * FULL_BATCH_POINTS;
/** Positions of a terminal event's metrics without a step, behind those that came with one. */
const FINALS_FROM = 1_000_000;

/** What was planned: its batches in order, and the watermark that it reaches. */
export type Planned = { upto: number; batches: Batch[] };

/**
 * Writes the next folded events as batches and moves the watermark, all or nothing and only under the lease. A
 * metric of a terminal event without a step gets the trial's highest step here, for good.
 * @returns null when the lease was lost
 */
export async function planHelping(
  db: D1Database,
  lease: Lease,
  stream: StreamRow,
  maxStep: number,
): Promise<Planned | null> {
  const orm = drizzle(db);
  const rows = await orm
    .select({
      seq: events.seq,
      points: events.points,
      occurredAt: events.occurredAt,
      finals: sql<string | null>`${events.facts} -> '$.finals'`,
    })
    .from(events)
    .where(and(nextEvents(stream.id, stream.plannedSeq, MAX_EVENTS), lte(events.seq, stream.foldedSeq)))
    .orderBy(asc(events.seq));
  const helping = rows.slice(
    0,
    helpingLength(
      rows.map((row) => row.points),
      MAX_POINTS,
    ),
  );
  const upto = helping.at(-1)?.seq ?? stream.foldedSeq;
  const finals = helping.flatMap((row) =>
    Object.entries(readFinals(row.finals)).map(([key, value], n) => [
      row.seq,
      FINALS_FROM + n,
      key,
      maxStep,
      row.occurredAt,
      value,
    ]),
  );
  const isHeld = [stream.id, lease.token];
  if (finals.length > 0) await db.batch(overRows(db, INSERT_FINALS, finals, ...isHeld));
  const items = await itemsBetween(db, stream.id, stream.plannedSeq, upto);
  const packed = packBatches(items).map((batch) => ({ token: crypto.randomUUID(), items: batch }));
  const results = await db.batch<Pick<Batch, "id">>([
    ...packed.map((batch) =>
      db
        .prepare(`insert into batches (stream_id, token, items) select ?, ?, ? where ${HELD} returning id`)
        .bind(stream.id, batch.token, JSON.stringify(batch.items), ...isHeld),
    ),
    db
      .prepare(
        `update streams set planned_seq = ?, lease_until = ${NOW_MS} + ? where id = ? and lease_token = ?`,
      )
      .bind(upto, lease.ms, ...isHeld),
  ]);
  if ((results.at(-1)?.meta.changes ?? 0) === 0) return null;
  const fresh = { attempts: 0 };
  const planned = packed.flatMap((batch, n) =>
    (results[n]?.results ?? []).map(({ id }) => ({ ...batch, ...fresh, id })),
  );
  return { upto, batches: planned };
}

const INSERT_FINALS = `
  insert into metric_points (stream_id, seq, n, key, step, timestamp, value)
  select ?2, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 from json_each(?1)
  where exists (select 1 from streams where id = ?2 and lease_token = ?3)
  on conflict do nothing`;

/** What events after `from` up to `to` added: points, parameters first accepted and tags last changed there. */
async function itemsBetween(db: D1Database, streamId: number, from: number, to: number): Promise<Items> {
  const orm = drizzle(db);
  const between = (table: typeof metricPoints | typeof params | typeof tags) =>
    and(eq(table.streamId, streamId), gt(table.seq, from), lte(table.seq, to));
  // What was taken from MLflow need not be sent there.
  const isNews = (kind: "tag" | "param", table: typeof params | typeof tags) =>
    sql`not exists (select 1 from ${agreed} where ${agreed.streamId} = ${streamId} and ${agreed.kind} = ${kind}
      and ${agreed.key} = ${table.key} and ${agreed.value} = ${table.value})`;
  const [metrics, newParams, newTags] = await orm.batch([
    orm
      .select({
        key: metricPoints.key,
        value: metricPoints.value,
        timestamp: metricPoints.timestamp,
        step: metricPoints.step,
      })
      .from(metricPoints)
      .where(between(metricPoints))
      .orderBy(asc(metricPoints.seq), asc(metricPoints.n)),
    orm
      .select({ key: params.key, value: params.value })
      .from(params)
      .where(and(between(params), isNews("param", params)))
      .orderBy(asc(params.key)),
    orm
      .select({ key: tags.key, value: tags.value })
      .from(tags)
      .where(and(between(tags), isNull(tags.removedAt), isNews("tag", tags)))
      .orderBy(asc(tags.key)),
  ]);
  return { metrics, params: newParams, tags: newTags };
}
