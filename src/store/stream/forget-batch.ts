import { Bound, heldBy } from "../sql.ts";

const IS_HELD = heldBy(2, 3);

/** Forgets a batch that MLflow has, by its token, and takes it that MLflow has its tags, but for those that it refused. */
export function forgetBatch(
  db: D1Database,
  { streamId, token }: { streamId: number; token: string },
  batch: string,
) {
  const part = (query: string) => new Bound(db, query, batch, streamId, token);
  return [part(AGREE_ON_BATCH), part(DELETE_BATCH)] as const;
}

const AGREE_ON_BATCH = `
  insert into agreed (stream_id, kind, key, value)
  select b.stream_id, 'tag', t.value ->> '$.key', t.value ->> '$.value'
  from batches b, json_each(b.items, '$.tags') t
  where b.token = ?1 and b.stream_id = ?2 and ${IS_HELD}
    and not exists (select 1 from dead_letters d where d.stream_id = b.stream_id and d.kind = 'tag'
      and d.item ->> '$.key' = t.value ->> '$.key' and d.item ->> '$.value' = t.value ->> '$.value')
  on conflict do update set value = excluded.value`;

const DELETE_BATCH = `delete from batches where token = ?1 and stream_id = ?2 and ${IS_HELD}`;
