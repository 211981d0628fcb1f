import { and, asc, eq, isNull, lte, ne, type SQLWrapper, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { FULL_BATCH_POINTS, type Items, packBatches } from "../../mlflow/plan.ts";
import { RUN_NAME_TAG } from "../../mlflow/tags.ts";
import { type At, fixed } from "../fixed.ts";
import { chunksBetween, pointsOf } from "../journal/chunk-points.ts";
import { BY_ALL, FINALS_FROM, insertChunks } from "../journal/chunks.ts";
import { lastOfNext, MAX_FACTS_BYTES, nextEvents } from "../journal/unfolded.ts";
import { agreed, events, params, tags } from "../schema/index.ts";
import { Bound, heldBy, jsonChunks } from "../sql.ts";
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

/** The next folded events as delivery needs them. */
export type Next = Awaited<ReturnType<typeof readNext>>;

type Marks = Pick<StreamRow, "id" | "plannedSeq" | "foldedSeq">;

/** The next folded events alone. */
export async function readNext(db: D1Database, stream: Marks) {
  return drizzle(db).batch(nextQueries(db, stream));
}

/** `points`: how many of them a helping may have. */
type PlannedAt = At<"id" | "planned" | "folded" | "points">;

const most = (at: PlannedAt) => ({ ...SENT_AT_ONCE, points: at("points") });

const isNext = (at: PlannedAt, seq: SQLWrapper) =>
  and(nextEvents(at("id"), at("planned"), most(at))(seq), lte(seq, at("folded")));

/** What was taken from MLflow need not be sent there. */
const isNews = (at: PlannedAt, kind: "tag" | "param", table: typeof params | typeof tags) =>
  sql`not exists (select 1 from ${agreed} where ${agreed.streamId} = ${at("id")} and ${agreed.kind} = ${kind}
    and ${agreed.key} = ${table.key} and ${agreed.value} = ${table.value})`;

const nextRows = fixed((orm, at: PlannedAt) =>
  orm
    .select({
      seq: events.seq,
      occurredAt: events.occurredAt,
      finals: sql<string | null>`${events.facts} -> '$.finals'`,
    })
    .from(events)
    .where(and(eq(events.streamId, at("id")), isNext(at, events.seq)))
    .orderBy(asc(events.seq)),
);

const nextChunks = fixed((orm, at: PlannedAt) => {
  const upto = sql`min(${lastOfNext(at("id"), at("planned"), most(at))}, ${at("folded")})`;
  const chunks = chunksBetween(at("id"), at("planned"), upto);
  return orm.select({ key: sql<string>`key`, points: sql<string>`points` }).from(sql`(${chunks})`);
});

const nextParams = fixed((orm, at: PlannedAt) =>
  orm
    .select({ key: params.key, value: params.value })
    .from(params)
    .where(and(eq(params.streamId, at("id")), isNext(at, params.seq), isNews(at, "param", params)))
    .orderBy(asc(params.key)),
);

const nextTags = fixed((orm, at: PlannedAt) =>
  orm
    .select({ key: tags.key, value: IN_MLFLOW })
    .from(tags)
    .where(
      and(
        eq(tags.streamId, at("id")),
        isNext(at, tags.seq),
        isNull(tags.removedAt),
        // It goes with the run's own state.
        ne(tags.key, RUN_NAME_TAG),
        IS_FOR_MLFLOW,
        isNews(at, "tag", tags),
      ),
    )
    .orderBy(asc(tags.key)),
);

/** The queries for them: the events, and what they added: points, parameters first accepted and tags last changed there. */
export function nextQueries(db: D1Database, { id, plannedSeq, foldedSeq }: Marks) {
  const { points } = plannedSeq === 0 ? SENT_FIRST : SENT_AT_ONCE;
  const values = { id, planned: plannedSeq, folded: foldedSeq, points };
  return [
    nextRows(db, values),
    nextChunks(db, values),
    nextParams(db, values),
    nextTags(db, values),
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
  const stored = jsonChunks(finals).map((json) => storingFinals(db, json, stream.id, lease));
  const [last, ...others] = stored.reverse();
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

function itemsOf([rows, chunks, newParams, newTags]: Next): Items {
  const metrics = pointsOf(chunks, rows).map(({ key, value, timestamp, step }) => ({
    key,
    value,
    timestamp,
    step,
  }));
  return { metrics, params: newParams, tags: newTags };
}

/** Writes the finals down as points, and reads the helping again. */
async function withFinals(
  db: D1Database,
  stream: Marks,
  [last, ...others]: [Storing, ...Storing[]],
): Promise<Items> {
  const orm = drizzle(db);
  for (const storing of others) await orm.batch(storing);
  const [, , ...next] = await orm.batch([...last, ...nextQueries(db, stream)]);
  return itemsOf(next);
}

type Storing = [Bound, Bound];

function storingFinals(db: D1Database, json: string, streamId: number, lease: Lease): Storing {
  const bound = (query: string) => new Bound(db, query, json, streamId, lease.token);
  return [bound(RAISE_LATER), bound(INSERT_FINALS)];
}

/** What came after an end is there already. Its chunks are raised first: to say more than there is does no harm. */
const RAISE_LATER = `
  update metric_chunks set top = max(top, f.step), latest = max(latest, f.timestamp)
  from (
    select value ->> 2 as key, min(value ->> 0) as seq, max(value ->> 3) as step, max(value ->> 4) as timestamp
    from json_each(?1) group by value ->> 2) f
  where stream_id = ?2 and metric_chunks.key = f.key and metric_chunks.seq >= f.seq
    and (top < f.step or latest < f.timestamp) and ${heldBy(2, 3)}`;

/** Each is a chunk of its own, so that one that is there keeps the step that it was given. */
const INSERT_FINALS = insertChunks(`
  select ?2 as stream_id, value ->> 0 as seq, value ->> 1 as n, value ->> 2 as key, value ->> 3 as step,
    value ->> 4 as timestamp, value ->> 5 as value, value -> 5 as json, ${BY_ALL} as known, value ->> 0 as part
  from json_each(?1) where ${heldBy(2, 3)}`);
