import { and, asc, eq, isNull, lte, ne, type SQLWrapper, sql } from "drizzle-orm";
import { type DrizzleD1Database, drizzle } from "drizzle-orm/d1";
import { FULL_BATCH_POINTS, type Items, packBatches } from "../../mlflow/plan.ts";
import { RUN_NAME_TAG } from "../../mlflow/tags.ts";
import { MAX_FACTS_BYTES, nextEvents } from "../journal/unfolded.ts";
import { agreed, events, metricPoints, params, tags } from "../schema/index.ts";
import { type Bound, boundRows, heldBy } from "../sql.ts";
import { readFinals } from "../stream/columns.ts";
import type { Lease, StreamRow } from "../stream/leases.ts";
import type { PlannedBatches } from "./batches.ts";
import { IN_MLFLOW, IS_FOR_MLFLOW } from "./tag-in-mlflow.ts";

/** A helping of delivery: a few full batches, planned while those before it are sent. */
const SENT_AT_ONCE = {
  events: 4 * FULL_BATCH_POINTS,
  points: 4 * FULL_BATCH_POINTS,
  factsBytes: MAX_FACTS_BYTES,
};
/** The first one also has what a trial begins with, its parameters and tags: no small batch is to be left of it. */
const SENT_FIRST = { ...SENT_AT_ONCE, points: SENT_AT_ONCE.points - 200 };
/** Positions of a terminal event's metrics without a step, behind those that came with one. */
const FINALS_FROM = 1_000_000;

/** The next folded events as delivery needs them. */
export type Next = Awaited<ReturnType<typeof readNext>>;

type Marks = Pick<StreamRow, "id" | "plannedSeq" | "foldedSeq">;

/** The next folded events alone. */
export async function readNext(db: D1Database, stream: Marks) {
  const orm = drizzle(db);
  return orm.batch(nextQueries(orm, stream));
}

/** The queries for them: the events, and what they added: points, parameters first accepted and tags last changed there. */
export function nextQueries(orm: DrizzleD1Database, { id, plannedSeq, foldedSeq }: Marks) {
  const helping = nextEvents(id, plannedSeq, plannedSeq === 0 ? SENT_FIRST : SENT_AT_ONCE);
  const isNext = (seq: SQLWrapper) => and(helping(seq), lte(seq, foldedSeq));
  // What was taken from MLflow need not be sent there.
  const isNews = (kind: "tag" | "param", table: typeof params | typeof tags) =>
    sql`not exists (select 1 from ${agreed} where ${agreed.streamId} = ${id} and ${agreed.kind} = ${kind}
      and ${agreed.key} = ${table.key} and ${agreed.value} = ${table.value})`;
  return [
    orm
      .select({
        seq: events.seq,
        occurredAt: events.occurredAt,
        finals: sql<string | null>`${events.facts} -> '$.finals'`,
      })
      .from(events)
      .where(and(eq(events.streamId, id), isNext(events.seq)))
      .orderBy(asc(events.seq)),
    orm
      .select({
        key: metricPoints.key,
        value: metricPoints.value,
        timestamp: metricPoints.timestamp,
        step: metricPoints.step,
      })
      .from(metricPoints)
      .where(and(eq(metricPoints.streamId, id), isNext(metricPoints.seq)))
      .orderBy(asc(metricPoints.seq), asc(metricPoints.n)),
    orm
      .select({ key: params.key, value: params.value })
      .from(params)
      .where(and(eq(params.streamId, id), isNext(params.seq), isNews("param", params)))
      .orderBy(asc(params.key)),
    orm
      .select({ key: tags.key, value: IN_MLFLOW })
      .from(tags)
      .where(
        and(
          eq(tags.streamId, id),
          isNext(tags.seq),
          isNull(tags.removedAt),
          // It goes with the run's own state.
          ne(tags.key, RUN_NAME_TAG),
          IS_FOR_MLFLOW,
          isNews("tag", tags),
        ),
      )
      .orderBy(asc(tags.key)),
  ] as const;
}

/**
 * The next folded events as batches, which are stored as the first of them is sent. A metric of a terminal event
 * without a step gets the trial's highest step here, for good, under the lease.
 */
export async function planHelping(
  db: D1Database,
  lease: Lease,
  stream: Marks,
  next: Next,
  maxStep: number,
): Promise<PlannedBatches> {
  const [rows] = next;
  const finals = rows.flatMap((row) =>
    Object.entries(readFinals(row.finals)).map(([key, value], n) => [
      row.seq,
      FINALS_FROM + n,
      key,
      maxStep,
      row.occurredAt,
      value,
    ]),
  );
  const upto = rows.at(-1)?.seq ?? stream.foldedSeq;
  const [last, ...others] = boundRows(db, INSERT_FINALS, finals, stream.id, lease.token);
  const items = last
    ? await withFinals(db, { ...stream, foldedSeq: upto }, [last, ...others])
    : itemsOf(next);
  const batches = packBatches(items).map((batch) => ({
    token: crypto.randomUUID(),
    items: batch,
    attempts: 0,
  }));
  return { upto, batches };
}

function itemsOf([, metrics, newParams, newTags]: Next): Items {
  return { metrics, params: newParams, tags: newTags };
}

/** Writes the finals down as points, and reads the helping again. */
async function withFinals(
  db: D1Database,
  stream: Marks,
  [last, ...others]: [Bound, ...Bound[]],
): Promise<Items> {
  const orm = drizzle(db);
  for (const insert of others) await orm.batch([insert]);
  const [, ...next] = await orm.batch([last, ...nextQueries(orm, stream)]);
  return itemsOf(next);
}

const INSERT_FINALS = `
  insert into metric_points (stream_id, seq, n, key, step, timestamp, value)
  select ?2, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 from json_each(?1)
  where ${heldBy(2, 3)}
  on conflict do nothing`;
