import { asc, eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Items } from "../mlflow/plan.ts";
import { AGREE_ON_BATCH, AGREE_ON_TAGS } from "./agreed.ts";
import { readItems } from "./columns.ts";
import { repeatable } from "./counted.ts";
import { type Fence, HELD, type Lease } from "./leases.ts";
import { batches } from "./schema.ts";
import { NOW_MS } from "./sql.ts";

/** One log-batch to be: its exact items, and how often it was begun to be sent. */
export type Batch = { id: number; token: string; items: Items; attempts: number };

const MAX_LOADED = 30;

/** The batches that were planned and are not known to be in MLflow, in order. */
export async function pendingBatches(db: D1Database, streamId: number): Promise<Batch[]> {
  const rows = await drizzle(db)
    .select()
    .from(batches)
    .where(eq(batches.streamId, streamId))
    .orderBy(asc(batches.id))
    .limit(MAX_LOADED);
  return rows.map(({ id, token, items, attempts }) => ({ id, token, items: readItems(items), attempts }));
}

/**
 * Notes that a batch is about to be sent, and renews the lease; false when the lease was lost. Done twice, the batch
 * counts as begun twice, and nothing asks more than whether it was.
 */
export async function markSent(
  given: D1Database,
  lease: Lease,
  batch: Batch,
  done: Batch | null,
  { doubt, fenceUntil, unconfirmed }: Fence,
): Promise<boolean> {
  const db = repeatable(given);
  const isHeld = [lease.streamId, lease.token];
  const results = await db.batch([
    ...(done ? removal(db, done, isHeld) : []),
    db
      .prepare(`update batches set attempts = attempts + 1 where id = ? and ${HELD}`)
      .bind(batch.id, ...isHeld),
    db
      .prepare(
        `update streams set lease_until = ${NOW_MS} + ?, doubt = ?, fence_until = ?, unconfirmed = ? where id = ? and lease_token = ?`,
      )
      .bind(lease.ms, doubt, fenceUntil, unconfirmed, ...isHeld),
  ]);
  return (results.at(-1)?.meta.changes ?? 0) > 0;
}

/** Notes that nothing of a batch that was begun can be in MLflow. */
export async function markUntouched(db: D1Database, lease: Lease, batch: Batch): Promise<void> {
  await db
    .prepare(`update batches set attempts = 0 where id = ? and ${HELD}`)
    .bind(batch.id, lease.streamId, lease.token)
    .run();
}

/** Keeps of a batch what is still to be sent; false when the lease was lost. */
export async function keepLeft(db: D1Database, lease: Lease, { id }: Batch, left: Items): Promise<boolean> {
  const { meta } = await db
    .prepare(`update batches set items = ? where id = ? and ${HELD}`)
    .bind(JSON.stringify(left), id, lease.streamId, lease.token)
    .run();
  return meta.changes > 0;
}

/** Remembers as agreed on those tags of a batch that MLflow has of it, though not the whole batch is in. */
export async function agreeOnSeen(
  db: D1Database,
  lease: Lease,
  { id, items }: Batch,
  seen: readonly { key: string; value: string }[],
): Promise<void> {
  const there = new Map(seen.map(({ key, value }) => [key, value]));
  const tags = items.tags.filter(({ key, value }) => there.get(key) === value);
  if (tags.length === 0) return;
  await db.prepare(AGREE_ON_TAGS).bind(id, lease.streamId, lease.token, JSON.stringify(tags)).run();
}

/** Forgets a batch that MLflow has, and remembers its tags as agreed on. */
export async function removeBatch(db: D1Database, lease: Lease, batch: Batch): Promise<boolean> {
  const results = await db.batch(removal(db, batch, [lease.streamId, lease.token]));
  return (results.at(-1)?.meta.changes ?? 0) > 0;
}

function removal(db: D1Database, { id }: Batch, isHeld: readonly unknown[]): D1PreparedStatement[] {
  return [AGREE_ON_BATCH, `delete from batches where id = ? and ${HELD}`].map((query) =>
    db.prepare(query).bind(id, ...isHeld),
  );
}

/** The tokens of the batches that are still to be sent. */
export async function pendingTokens(db: D1Database, streamId: number): Promise<Set<string>> {
  const rows = await drizzle(db)
    .select({ token: batches.token })
    .from(batches)
    .where(eq(batches.streamId, streamId));
  return new Set(rows.map(({ token }) => token));
}
