import { type Items, packBatches } from "../../mlflow/plan.ts";
import { heldBy, overRows } from "../sql.ts";
import type { Lease } from "../stream/leases.ts";

/**
 * Puts items back on a stream's way to MLflow, behind the batches that are there, and makes the stream behind again,
 * so that a poke or the cron has them delivered as any other. Nothing happens twice in MLflow for it: a repeat of
 * what is there already changes nothing.
 * @param what.fromSeq the earliest event that the items are of: what follows counts as delivered only when they are in
 * @param what.after statements under the same lease that are to come first, all or nothing
 * @returns false when the lease was lost; then nothing was written
 */
export async function requeue(
  db: D1Database,
  lease: Lease,
  { items, fromSeq, after }: { items: Items; fromSeq: number; after: D1PreparedStatement[] },
): Promise<boolean> {
  const { streamId, token } = lease;
  const packed = packBatches(items).map((batch) => [crypto.randomUUID(), JSON.stringify(batch)]);
  const results = await db.batch([
    ...after,
    ...overRows(db, INSERT_BATCHES, packed, streamId, token),
    db.prepare(MAKE_BEHIND).bind(streamId, token, fromSeq),
  ]);
  return (results.at(-1)?.meta.changes ?? 0) > 0;
}

const INSERT_BATCHES = `
  insert into batches (stream_id, n, token, items)
  select ?2, key + 1 + coalesce((select max(n) from batches where stream_id = ?2), 0), value ->> 0, value ->> 1
  from json_each(?1)
  where ${heldBy(2, 3)}`;

/** An operator asked for it, so it is delivered although automatic delivery may be off. */
const MAKE_BEHIND = `
  update streams set delivered_seq = max(0, min(delivered_seq, last_seq - 1, ?3 - 1)), forced = 1
  where id = ?1 and lease_token = ?2`;
