import { asc, eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Items } from "../mlflow/plan.ts";
import { AGREE_ON_BATCH } from "./agreed.ts";
import { readItems } from "./columns.ts";
import { HELD, type Lease } from "./leases.ts";
import { batches } from "./schema.ts";
import { NOW_MS } from "./sql.ts";

/** One log-batch to be: its exact items, and whether it was sent. */
export type Batch = { id: number; token: string; items: Items; sentAt: number | null; attempts: number };

const MAX_LOADED = 30;

/** The batches that were planned and are not known to be in MLflow, in order. */
export async function pendingBatches(db: D1Database, streamId: number): Promise<Batch[]> {
  const rows = await drizzle(db)
    .select()
    .from(batches)
    .where(eq(batches.streamId, streamId))
    .orderBy(asc(batches.id))
    .limit(MAX_LOADED);
  return rows.map((row) => ({ ...row, items: readItems(row.items) }));
}

/** Notes that a batch is about to be sent, and renews the lease; false when the lease was lost. */
export async function markSent(
  db: D1Database,
  lease: Lease,
  batch: Batch,
  done: Batch | null,
  now: number,
): Promise<boolean> {
  const isHeld = [lease.streamId, lease.token];
  const results = await db.batch([
    ...(done ? removal(db, done, isHeld) : []),
    db
      .prepare(`update batches set sent_at = ?, attempts = attempts + 1 where id = ? and ${HELD}`)
      .bind(now, batch.id, ...isHeld),
    db
      .prepare(`update streams set lease_until = ${NOW_MS} + ? where id = ? and lease_token = ?`)
      .bind(lease.ms, ...isHeld),
  ]);
  return (results.at(-1)?.meta.changes ?? 0) > 0;
}

/** Notes that the call is over, so that nothing of it can still land; `untouched` when none of it did. */
export async function markUnsent(
  db: D1Database,
  lease: Lease,
  batch: Batch,
  untouched: boolean,
): Promise<void> {
  await db
    .prepare(
      `update batches set sent_at = null, attempts = case when ? then 0 else attempts end where id = ? and ${HELD}`,
    )
    .bind(untouched ? 1 : 0, batch.id, lease.streamId, lease.token)
    .run();
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

/** Whether a call of this stream went unanswered and may still land. */
export async function hasUnanswered(db: D1Database, streamId: number): Promise<boolean> {
  const sent = await db
    .prepare("select 1 from batches where stream_id = ?1 and sent_at is not null")
    .bind(streamId)
    .first();
  return sent !== null;
}
