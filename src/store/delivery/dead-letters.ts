import { and, asc, count, desc, eq, lt, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import * as z from "zod";
import type { LetterListed, LetterView } from "../../answers/ops.ts";
import type { LETTER_KINDS, LETTER_STATES } from "../../domain/words.ts";
import { deliveryColumns, deliveryView, iso, ofOwner, owner, ownerView } from "../listing/common.ts";
import type { Position } from "../listing/order.ts";
import { deadLetters, streams } from "../schema/index.ts";
import { overRows } from "../sql.ts";

/** A dead letter as it is stored, `item` as JSON. */
export type Letter = Pick<typeof deadLetters.$inferSelect, "id" | "streamId" | "kind" | "item" | "state">;

/** Which letters; `reason` is any part of it, whatever the case. */
export type LetterFilter = {
  state: (typeof LETTER_STATES)[number];
  kind?: (typeof LETTER_KINDS)[number] | undefined;
  model_run_id?: string | undefined;
  trial_id?: string | undefined;
  key?: string | undefined;
  reason?: string | undefined;
};

/**
 * Keeps an item that MLflow will never take, whole, with the reason. The same item again changes nothing, unless it
 * was replayed in between: then it is open again, with the new answer. What an operator dropped stays dropped.
 */
export async function bury(db: D1Database, row: Buried): Promise<void> {
  await buryAll(db, [row]);
}

type Buried = typeof deadLetters.$inferInsert;

/** The same of many, none of them twice. */
export async function buryAll(db: D1Database, rows: readonly Buried[]): Promise<void> {
  const letters = rows.map(({ streamId, kind, item, reason, mlflowStatus, mlflowCode, createdAt }) => [
    streamId ?? null,
    kind,
    item,
    reason,
    mlflowStatus ?? null,
    mlflowCode ?? null,
    createdAt,
  ]);
  if (letters.length > 0) await db.batch([REOPEN, BURY].flatMap((query) => overRows(db, query, letters)));
}

/** `is`: letters of no trial are told apart too. */
const SAME = "d.stream_id is l.value ->> 0 and d.kind = l.value ->> 1 and d.item = l.value ->> 2";

const REOPEN = `
  update dead_letters as d set state = 'open', reason = l.value ->> 3, mlflow_status = l.value ->> 4,
    mlflow_code = l.value ->> 5, created_at = l.value ->> 6, settled_at = null
  from json_each(?1) l where ${SAME} and +d.state = 'replayed'`;

const BURY = `
  insert into dead_letters (stream_id, kind, item, reason, mlflow_status, mlflow_code, created_at)
  select l.value ->> 0, l.value ->> 1, l.value ->> 2, l.value ->> 3, l.value ->> 4, l.value ->> 5, l.value ->> 6
  from json_each(?1) l where not exists (select 1 from dead_letters d where ${SAME})
  on conflict do nothing`;

const columns = {
  id: deadLetters.id,
  streamId: deadLetters.streamId,
  kind: deadLetters.kind,
  item: deadLetters.item,
  reason: deadLetters.reason,
  mlflowStatus: deadLetters.mlflowStatus,
  mlflowCode: deadLetters.mlflowCode,
  state: deadLetters.state,
  createdAt: deadLetters.createdAt,
  settledAt: deadLetters.settledAt,
  ...owner,
};

function conditions(filter: LetterFilter): SQL | undefined {
  const given = <T>(value: T | undefined, condition: (value: T) => SQL) =>
    value === undefined ? undefined : condition(value);
  const { plus, owned } = ofOwner(deadLetters.streamId, filter);
  return and(
    sql`${plus}${deadLetters.state} = ${filter.state}`,
    given(filter.kind, (kind) => sql`${plus}${deadLetters.kind} = ${kind}`),
    owned,
    given(filter.key, (key) => sql`${deadLetters.item} ->> '$.key' = ${key}`),
    given(filter.reason, (part) => sql`instr(lower(${deadLetters.reason}), lower(${part})) > 0`),
  );
}

/** The latest dead letters of a page, and one more. */
export async function listLetters(
  db: D1Database,
  filter: LetterFilter,
  after: Position | null,
  limit: number,
) {
  const rows = await drizzle(db)
    .select(columns)
    .from(deadLetters)
    .leftJoin(streams, eq(streams.id, deadLetters.streamId))
    .where(and(conditions(filter), after === null ? undefined : lt(deadLetters.id, Number(after.id))))
    .orderBy(desc(deadLetters.id))
    .limit(limit + 1);
  return rows.map((row) => ({ ...letterView(row), position: { value: null, id: row.id } }));
}

/** The oldest letters that match, at most so many, and how many match in all. */
export async function matchingLetters(db: D1Database, filter: LetterFilter, limit: number) {
  const orm = drizzle(db);
  // Not a batch: its rows come by name, and two columns here are called "kind".
  const [letters, matching] = await Promise.all([
    orm
      .select(columns)
      .from(deadLetters)
      .leftJoin(streams, eq(streams.id, deadLetters.streamId))
      .where(conditions(filter))
      .orderBy(asc(deadLetters.id))
      .limit(limit),
    orm
      .select({ total: count() })
      .from(deadLetters)
      .leftJoin(streams, eq(streams.id, deadLetters.streamId))
      .where(conditions(filter))
      .get(),
  ]);
  return { letters, total: matching?.total ?? 0 };
}

/** One letter, as it is stored and as the API shows it with where its trial stands; null when there is none. */
export async function readLetter(db: D1Database, id: number) {
  const row = await drizzle(db)
    .select({ ...columns, ...deliveryColumns })
    .from(deadLetters)
    .leftJoin(streams, eq(streams.id, deadLetters.streamId))
    .where(eq(deadLetters.id, id))
    .get();
  if (!row) return null;
  const delivery = row.streamKey === null ? null : deliveryView(row);
  const view: LetterView = { ...letterView(row), delivery };
  return { letter: row, view };
}

/** A dead letter as the API shows it. */
export function letterView(
  row: Awaited<ReturnType<typeof matchingLetters>>["letters"][number],
): LetterListed {
  return {
    id: row.id,
    ...ownerView(row),
    kind: row.kind,
    state: row.state,
    item: z.json().parse(JSON.parse(row.item)),
    reason: row.reason,
    mlflow_status: row.mlflowStatus,
    mlflow_code: row.mlflowCode,
    created_at: iso(row.createdAt),
    settled_at: iso(row.settledAt),
  };
}

/** Settles letters that are to go nowhere, or whose message was sent again. */
export async function settleLetters(
  db: D1Database,
  ids: readonly number[],
  state: "dropped" | "replayed",
  now: number,
): Promise<number[]> {
  const rows = await drizzle(db)
    .update(deadLetters)
    .set({ state, settledAt: now })
    .where(
      and(
        sql`${deadLetters.id} in (select value from json_each(${JSON.stringify(ids)}))`,
        sql`${deadLetters.state} in ('open', ${state === "replayed" ? "dropped" : "open"})`,
      ),
    )
    .returning({ id: deadLetters.id });
  return rows.map((row) => row.id);
}
