import { type SQLWrapper, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Core } from "../../domain/core.ts";
import { type At, fixed } from "../fixed.ts";
import { agreed, modelRuns, params, streams, tags, trials } from "../schema/index.ts";
import { Bound, boundRows, heldBy, overRows } from "../sql.ts";
import { readSentState, type SentState } from "../stream/columns.ts";
import { readCore } from "../stream/core-column.ts";
import type { Lease, StreamRow } from "../stream/leases.ts";

/** A linked stream as the merge needs it: what it says, and what both sides last agreed on. */
export type StoredSides = {
  stream: StreamRow;
  core: Core;
  sent: SentState;
  /** A value of null: taken away. */
  tags: { key: string; value: string | null; at: number }[];
  params: { key: string; value: string }[];
  agreedTags: { key: string; value: string }[];
  agreedParams: { key: string; value: string }[];
};

/** Null where the stream has no run yet. */
export async function readSides(db: D1Database, streamId: number): Promise<StoredSides | null> {
  return (await readSidesOf(db, [streamId])).get(streamId) ?? null;
}

const isOne = (id: SQLWrapper, at: At<"ids">) => sql`${id} in (select value from json_each(${at("ids")}))`;

const streamsOf = fixed((orm, at: At<"ids">) => orm.select().from(streams).where(isOne(streams.id, at)));

const trialCores = fixed((orm, at: At<"ids">) =>
  orm.select({ id: trials.id, core: trials.core }).from(trials).where(isOne(trials.id, at)),
);

const modelRunCores = fixed((orm, at: At<"ids">) =>
  orm.select({ id: modelRuns.id, core: modelRuns.core }).from(modelRuns).where(isOne(modelRuns.id, at)),
);

const tagsOf = fixed((orm, at: At<"ids">) => orm.select().from(tags).where(isOne(tags.streamId, at)));

const paramsOf = fixed((orm, at: At<"ids">) =>
  orm
    .select({ streamId: params.streamId, key: params.key, value: params.value })
    .from(params)
    .where(isOne(params.streamId, at)),
);

const agreedOf = fixed((orm, at: At<"ids">) => orm.select().from(agreed).where(isOne(agreed.streamId, at)));

/** The same of many streams at once, by their ids; those without a run are left out. */
export async function readSidesOf(
  db: D1Database,
  streamIds: readonly number[],
): Promise<Map<number, StoredSides>> {
  const values = { ids: JSON.stringify(streamIds) };
  const [streamRows, trialRows, modelRunRows, tagRows, paramRows, agreedRows] = await drizzle(db).batch([
    streamsOf(db, values),
    trialCores(db, values),
    modelRunCores(db, values),
    tagsOf(db, values),
    paramsOf(db, values),
    agreedOf(db, values),
  ]);
  const cores = new Map([...modelRunRows, ...trialRows].map(({ id, core }) => [id, core]));
  const [theirTags, theirParams, theirs] = [byStream(tagRows), byStream(paramRows), byStream(agreedRows)];
  return new Map(
    streamRows.flatMap((stream): [number, StoredSides][] => {
      const { id } = stream;
      const sent = readSentState(stream.sentState);
      if (!sent) return [];
      const agreedOn = Map.groupBy(theirs.get(id) ?? [], ({ kind }) => kind);
      const said = (theirTags.get(id) ?? []).map(({ key, value, at, removedAt }) => ({
        key,
        value: removedAt === null ? value : null,
        at,
      }));
      const sides: StoredSides = {
        stream,
        core: readCore(cores.get(id) ?? null),
        sent,
        tags: said,
        params: theirParams.get(id) ?? [],
        agreedTags: agreedOn.get("tag") ?? [],
        agreedParams: agreedOn.get("param") ?? [],
      };
      return [[id, sides]];
    }),
  );
}

function byStream<Row extends { streamId: number }>(rows: readonly Row[]): Map<number, Row[]> {
  return Map.groupBy(rows, ({ streamId }) => streamId);
}

/** What is newly agreed on: a tag's null says that neither side has it any more. */
export type Agreement = { tags: ReadonlyMap<string, string | null>; params: ReadonlyMap<string, string> };

/** Writes an agreement down, while the lease is held; batches that are planned no longer speak of its tags. */
export async function agree(db: D1Database, lease: Lease, agreement: Agreement): Promise<void> {
  const statements = agreeing(db, lease, agreement);
  if (statements.length > 0) await db.batch(statements);
}

/** The same as statements; none where nothing is agreed on. */
export function agreeing(
  db: D1Database,
  { streamId, token }: Lease,
  agreement: Agreement,
): D1PreparedStatement[] {
  const rows = [
    ...[...agreement.tags].map(([key, value]) => ["tag", key, value]),
    ...[...agreement.params].map(([key, value]) => ["param", key, value]),
  ];
  if (rows.length === 0) return [];
  return [UNPLAN, FORGET, REMEMBER].flatMap((sql) => overRows(db, sql, rows, streamId, token));
}

/** Notes tags that MLflow was seen to have as they are here, as parts of a batch. */
export function agreeingOnTags(
  db: D1Database,
  { streamId, token }: Lease,
  seen: readonly { key: string; value: string }[],
): Bound[] {
  const rows = seen.map(({ key, value }) => ["tag", key, value]);
  return boundRows(db, REMEMBER, rows, streamId, token);
}

/** Notes the state that both sides agree on, while the lease is held. */
export function agreeingOnState(
  db: D1Database,
  { streamId, token }: Lease,
  sentState: string,
): D1PreparedStatement {
  return db
    .prepare("update streams set sent_state = ?3 where id = ?1 and lease_token = ?2")
    .bind(streamId, token, sentState);
}

const IS_HELD = heldBy(2, 3);

/** What was planned before is older than what was agreed on now. */
const UNPLAN = `
  update batches set items = json_set(items, '$.tags', (
    select json_group_array(json(t.value)) from json_each(batches.items, '$.tags') t
    where t.value ->> '$.key' not in (select value ->> 1 from json_each(?1) where value ->> 0 = 'tag')))
  where stream_id = ?2 and ${IS_HELD} and exists (
    select 1 from json_each(batches.items, '$.tags') t
    where t.value ->> '$.key' in (select value ->> 1 from json_each(?1) where value ->> 0 = 'tag'))`;

const FORGET = `
  delete from agreed where stream_id = ?2 and ${IS_HELD} and (kind, key) in
    (select value ->> 0, value ->> 1 from json_each(?1) where value ->> 2 is null)`;

const REMEMBER = `
  insert into agreed (stream_id, kind, key, value)
  select ?2, value ->> 0, value ->> 1, value ->> 2 from json_each(?1) where value ->> 2 is not null and ${IS_HELD}
  on conflict do update set value = excluded.value`;

/** Takes it that MLflow has some of a batch's tags, given as JSON, which are seen to be there. Binds its token, a lease, and the tags. */
export const AGREE_ON_TAGS = `
  insert into agreed (stream_id, kind, key, value)
  select ?2, 'tag', t.value ->> '$.key', t.value ->> '$.value' from json_each(?4) t
  where exists (select 1 from batches where token = ?1 and stream_id = ?2) and ${IS_HELD}
  on conflict do update set value = excluded.value`;

/**
 * The query for the tags that are to be sent: those that MLflow has otherwise, and all of batches that were planned before,
 * since somebody may have edited there meanwhile what both sides had agreed on.
 */
export function tagsToSend(db: D1Database, { id, plannedSeq }: Pick<StreamRow, "id" | "plannedSeq">) {
  return new Bound<{ key: string }>(db, TO_SEND, id, plannedSeq);
}

const TO_SEND = `
  select due.key from tags due left join agreed a on a.stream_id = ?1 and a.kind = 'tag' and a.key = due.key
  where due.stream_id = ?1 and due.seq > ?2 and due.removed_at is null and due.key not glob 'relay.*'
    and a.value is not due.value
  union all
  select t.value ->> '$.key' from batches b, json_each(b.items, '$.tags') t where b.stream_id = ?1`;

/** The tags that were taken away here and that MLflow still has, as far as is known. */
export async function readTagsToDelete(db: D1Database, streamId: number): Promise<string[]> {
  const [{ results }] = await drizzle(db).batch([tagsToDelete(db, streamId)]);
  return results.map(({ key }) => key);
}

/** The query for them. */
export function tagsToDelete(db: D1Database, streamId: number) {
  return new Bound<{ key: string }>(db, TAKEN_AWAY, streamId);
}

const TAKEN_AWAY = `
  select t.key from agreed a join tags t on t.stream_id = a.stream_id and t.key = a.key
  where a.stream_id = ?1 and a.kind = 'tag' and t.removed_at is not null and t.key not glob 'relay.*'`;
