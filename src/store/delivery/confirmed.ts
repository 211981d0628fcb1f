import { and, asc, lte, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { streams } from "../schema/index.ts";
import { Bound, heldBy } from "../sql.ts";
import type { Lease } from "../stream/leases.ts";
import { UNCONFIRMED } from "../stream/warm.ts";

/** What was sent to MLflow and seen to be there, or not. */

/** A stream with batches that are to be seen in its run. */
export type Due = { id: number; runId: string; experimentId: string; unconfirmed: string | null };

/** Those that were delivered by now, longest ago first. */
export async function dueForConfirmation(db: D1Database, now: number, limit: number): Promise<Due[]> {
  const rows = await drizzle(db)
    .select({
      id: streams.id,
      runId: streams.mlflowRunId,
      experimentId: streams.mlflowExperimentId,
      unconfirmed: streams.unconfirmed,
    })
    .from(streams)
    .where(and(sql.raw(UNCONFIRMED), lte(streams.deliveredAt, now)))
    .orderBy(asc(streams.deliveredAt))
    .limit(limit);
  return rows.flatMap(({ runId, experimentId, ...row }) =>
    runId === null || experimentId === null ? [] : [{ ...row, runId, experimentId }],
  );
}

/** Takes what was sent of these streams for confirmed, unless more was sent meanwhile. */
export async function noteConfirmed(
  db: D1Database,
  sure: readonly { id: number; unconfirmed: string | null }[],
): Promise<void> {
  if (sure.length === 0) return;
  await db.prepare(CONFIRM).bind(JSON.stringify(sure)).run();
}

const CONFIRM = `
  update streams set unconfirmed = null
  where id in (select s.id from json_each(?1) g join streams s on s.id = g.value ->> 'id'
    where s.unconfirmed = g.value ->> 'unconfirmed')`;

/**
 * Forgets what was planned and agreed on after a point of the journal, since MLflow has not all of it: of the tags said
 * after it, what MLflow shows is what both sides have. To be written with the point itself: a batch that is forgotten
 * while its events count as delivered is lost.
 */
export function forgetSent(
  db: D1Database,
  { streamId, token }: Lease,
  after: number,
  shown: readonly { key: string; value: string }[],
): Bound[] {
  return [
    new Bound(db, FORGET_BATCHES, streamId, token),
    new Bound(db, FORGET_TAGS, streamId, token, after),
    new Bound(db, AGREE_ON_SHOWN, streamId, token, after, JSON.stringify(shown)),
  ];
}

const SAID_AFTER = "select key from tags where stream_id = ?1 and seq > ?3";

const FORGET_BATCHES = `delete from batches where stream_id = ?1 and ${heldBy(1, 2)}`;

const FORGET_TAGS = `
  delete from agreed where stream_id = ?1 and kind = 'tag' and key in (${SAID_AFTER}) and ${heldBy(1, 2)}`;

const AGREE_ON_SHOWN = `
  insert into agreed (stream_id, kind, key, value)
  select ?1, 'tag', t.value ->> 'key', t.value ->> 'value' from json_each(?4) t
  where t.value ->> 'key' in (${SAID_AFTER}) and ${heldBy(1, 2)}
  on conflict do update set value = excluded.value`;
