import { asc, eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Items } from "../../mlflow/plan.ts";
import { repeatable } from "../database/counted.ts";
import { type At, fixed } from "../fixed.ts";
import { batches } from "../schema/index.ts";
import { Bound, heldBy } from "../sql.ts";
import type { Places } from "../stream/callers.ts";
import { readItems } from "../stream/columns.ts";
import { forgetBatch } from "../stream/forget-batch.ts";
import { beforeCall, type Fence, type Lease } from "../stream/leases.ts";
import { isForRow, moveRowBatch, NO_ROW_BATCH } from "../stream/row-batch.ts";
import { AGREE_ON_TAGS } from "./agreed.ts";

/** One log-batch to be: its exact items, and how often it was begun to be sent. */
export type Batch = { token: string; items: Items; attempts: number };

const MAX_LOADED = 30;

/** The query for `batchesOf`: of the stream with `id`. */
export const pendingRows = fixed((orm, at: At<"id">) =>
  orm
    .select({ token: batches.token, items: batches.items, attempts: batches.attempts })
    .from(batches)
    .where(eq(batches.streamId, at("id")))
    .orderBy(asc(batches.n))
    .limit(MAX_LOADED),
);

type StoredBatch = Pick<typeof batches.$inferSelect, "token" | "items" | "attempts">;

export function batchesOf(rows: readonly StoredBatch[]): Batch[] {
  return rows.map((row) => ({ ...row, items: readItems(row.items) }));
}

/** The batches that were planned and are not known to be in MLflow, in order. */
export async function pendingBatches(db: D1Database, streamId: number): Promise<Batch[]> {
  const [rows] = await drizzle(db).batch([pendingRows(db, { id: streamId })]);
  return batchesOf(rows);
}

/** A helping that was planned, and the watermark that it reaches. */
export type PlannedBatches = { upto: number; batches: readonly Batch[] };

/** What is written down before a batch is sent. */
export type Mark = {
  batch: Batch;
  /** The helping that it is the first of, where that is not stored yet. */
  planned: PlannedBatches | null;
  fence: Fence;
  /** The token of a batch that MLflow has: it is forgotten with it. */
  sent: string | null;
};

/**
 * Notes that a batch is about to be sent, and stores the helping that it is the first of: all or nothing, and only with
 * a place for the call. A small batch that is the whole helping is held by the stream's own row.
 * @param places null: the call has a place, or takes one itself
 * @returns false where there is no place, or the lease was lost
 */
export async function markSent(
  given: D1Database,
  lease: Lease,
  { batch, planned, fence, sent }: Mark,
  places: Places | null,
): Promise<boolean> {
  const db = repeatable(given);
  const orm = drizzle(db);
  // The row says what is in doubt once the first statement has applied.
  const marked = [lease.streamId, lease.token, fence.doubt];
  const attempts = batch.attempts + 1;
  const helping = (planned?.batches ?? []).map((one) => ({
    token: one.token,
    json: JSON.stringify(one.items),
    attempts: one.token === batch.token ? attempts : one.attempts,
  }));
  const [first] = helping;
  const isInRow = first !== undefined && helping.length === 1 && isForRow(batch.items, first.json);
  const held = isInRow
    ? { sendingToken: first.token, sendingItems: first.json }
    : sent === null
      ? {}
      : NO_ROW_BATCH;
  const stored = isInRow
    ? []
    : helping.map((one) => new Bound(db, STORE, ...marked, one.token, one.json, one.attempts));
  const [rows] = await orm.batch([
    ...beforeCall(db, lease, { ...fence, ...held, ...(planned && { plannedSeq: planned.upto }) }, places),
    ...(sent === null ? [] : forgetBatch(db, lease, sent)),
    ...(planned === null ? [new Bound(db, BEGIN, ...marked, batch.token, attempts)] : stored),
  ]);
  return rows.length > 0;
}

const IS_MARKED = "exists (select 1 from streams where id = ?1 and lease_token = ?2 and doubt is ?3)";

const BEGIN = `update batches set attempts = ?5 where stream_id = ?1 and token = ?4 and ${IS_MARKED}`;

const STORE = `
  insert into batches (stream_id, n, token, items, attempts)
  select ?1, 1 + coalesce((select max(n) from batches where stream_id = ?1), 0), ?4, ?5, ?6
  where ${IS_MARKED} and not exists (select 1 from batches where stream_id = ?1 and token = ?4)`;

/** Notes that nothing of a batch that was begun can be in MLflow. */
export async function markUntouched(db: D1Database, lease: Lease, batch: Batch): Promise<void> {
  await update(db, lease, "attempts = 0", batch.token);
}

/** Keeps of a batch what is still to be sent; false when the lease was lost. */
export async function keepLeft(db: D1Database, lease: Lease, batch: Batch, left: Items): Promise<boolean> {
  return (await update(db, lease, "items = ?4", batch.token, JSON.stringify(left))) > 0;
}

/** Changes a batch, which is among the others from then on; how many there were. */
async function update(db: D1Database, lease: Lease, set: string, ...values: unknown[]): Promise<number> {
  const orm = drizzle(db);
  const query = `update batches set ${set} where stream_id = ?1 and token = ?3 and ${heldBy(1, 2)}`;
  const changed = new Bound(db, query, lease.streamId, lease.token, ...values);
  const [, , { meta }] = await orm.batch([...moveRowBatch(db, lease), changed]);
  return meta.changes;
}

/** Remembers as agreed on those tags of a batch that MLflow has of it, though not the whole batch is in. */
export async function agreeOnSeen(
  db: D1Database,
  lease: Lease,
  { token, items }: Batch,
  seen: readonly { key: string; value: string }[],
): Promise<void> {
  const there = new Map(seen.map(({ key, value }) => [key, value]));
  const tags = items.tags.filter(({ key, value }) => there.get(key) === value);
  if (tags.length === 0) return;
  await db.prepare(AGREE_ON_TAGS).bind(token, lease.streamId, lease.token, JSON.stringify(tags)).run();
}

/** Forgets a batch that MLflow has, and remembers its tags as agreed on; false when the lease was lost. */
export async function removeBatch(db: D1Database, lease: Lease, { token }: Batch): Promise<boolean> {
  const orm = drizzle(db);
  const [, { meta }] = await orm.batch(forgetBatch(db, lease, token));
  return meta.changes > 0;
}

/** The tokens of the batches that are still to be sent, or are just being sent. */
export async function pendingTokens(db: D1Database, streamId: number): Promise<Set<string>> {
  const { results } = await db.prepare(PENDING_TOKENS).bind(streamId).all<{ token: string }>();
  return new Set(results.map(({ token }) => token));
}

const PENDING_TOKENS = `
  select token from batches where stream_id = ?1
  union all
  select sending_token from streams where id = ?1 and sending_token is not null`;
