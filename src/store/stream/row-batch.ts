import { Bound } from "../sql.ts";

/**
 * The batch that a stream's own row holds while it is sent for the first time. It holds points only, and few: they
 * never come between what both sides agreed on, and the row stays small.
 */

const MAX_ITEMS_CHARS = 16_000;

type Items = { params: readonly unknown[]; tags: readonly unknown[] };

/** Whether a batch may be held by the stream's row; `json`: its items as they are stored. */
export function isForRow({ params, tags }: Items, json: string): boolean {
  return params.length === 0 && tags.length === 0 && json.length <= MAX_ITEMS_CHARS;
}

/** What the row says once it holds no batch. */
export const NO_ROW_BATCH = { sendingToken: null, sendingItems: null };

/** Puts what a leased stream's row holds among its batches, as begun to be sent once. Nothing where it holds none. */
export function moveRowBatch(db: D1Database, { streamId, token }: { streamId: number; token: string }) {
  const part = (query: string) => new Bound(db, query, streamId, token);
  return [part(COPY), part(CLEAR)] as const;
}

const HOLDS = "where id = ?1 and lease_token = ?2 and sending_token is not null";

const COPY = `
  insert into batches (stream_id, n, token, items, attempts)
  select id, 1 + coalesce((select max(n) from batches where stream_id = ?1), 0), sending_token, sending_items, 1
  from streams ${HOLDS}`;

const CLEAR = `update streams set sending_token = null, sending_items = null ${HOLDS}`;
