import { and, eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Side } from "../../domain/words.ts";
import { conflicts, streams } from "../schema/index.ts";
import { NOW_MS } from "../sql.ts";
import type { OpenConflict } from "./open-conflicts.ts";

/**
 * Takes it that both sides agree on what MLflow had, so that what the relay says now is a change of one side only, which
 * the next merge lets pass and delivery sends. What another turn is just writing to a stream's own state is left.
 */
export async function agreeOnMlflows(db: D1Database, settled: readonly OpenConflict[]): Promise<void> {
  const rows = settled.map(({ kind, field, stream, mlflowValue, mlflowEndTime }) => [
    stream.id,
    kind,
    field,
    mlflowValue,
    mlflowEndTime,
  ]);
  const json = JSON.stringify(rows);
  await db.batch(
    [FORGET_TAGS, AGREE_ON_TAGS, AGREE_ON_NAMES, AGREE_ON_STATUSES].map((query) =>
      db.prepare(query).bind(json),
    ),
  );
}

const TAGS_OF = "value ->> 1 in ('tag', 'description')";

const FORGET_TAGS = `
  delete from agreed where kind = 'tag' and (stream_id, key) in
    (select value ->> 0, value ->> 2 from json_each(?1) where ${TAGS_OF} and value ->> 3 is null)`;

const AGREE_ON_TAGS = `
  insert into agreed (stream_id, kind, key, value)
  select value ->> 0, 'tag', value ->> 2, value ->> 3 from json_each(?1) where ${TAGS_OF} and value ->> 3 is not null
  on conflict do update set value = excluded.value`;

const AGREE_ON_NAMES = `
  update streams set sent_state = json_set(sent_state, '$.runName', j.value ->> 3)
  from json_each(?1) j
  where streams.id = j.value ->> 0 and j.value ->> 1 = 'name' and j.value ->> 3 is not null
    and sent_state is not null and lease_until < ${NOW_MS}`;

const AGREE_ON_STATUSES = `
  update streams set sent_state = json_set(sent_state, '$.status', j.value ->> 3, '$.endTime', j.value ->> 4)
  from json_each(?1) j
  where streams.id = j.value ->> 0 and j.value ->> 1 = 'status' and j.value ->> 3 is not null
    and sent_state is not null and lease_until < ${NOW_MS}`;

/** Marks open conflicts as resolved. */
export async function markResolved(
  db: D1Database,
  ids: readonly number[],
  take: Side,
  now: number,
): Promise<void> {
  await drizzle(db)
    .update(conflicts)
    .set({ state: "resolved", resolution: take, resolvedAt: now })
    .where(
      and(
        eq(conflicts.state, "open"),
        sql`${conflicts.id} in (select value from json_each(${JSON.stringify(ids)}))`,
      ),
    );
}

/** Whether an MLflow run is a trial's or a model run's own. */
export async function isLinked(db: D1Database, runId: string): Promise<boolean> {
  const row = await drizzle(db)
    .select({ id: streams.id })
    .from(streams)
    .where(eq(streams.mlflowRunId, runId))
    .get();
  return row !== undefined;
}
