import { and, desc, eq, type SQL } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { RefusalView } from "../../answers/ledger.ts";
import { iso } from "../listing/common.ts";
import { behind, type Order, orderTerms, type Position } from "../listing/order.ts";
import { refusals } from "../schema/index.ts";

/** What was refused, and why. Names that were not given are empty. */
export type Refusal = {
  tokenId: string;
  modelRunId: string;
  trialId: string;
  error: string;
  field: string;
  rule: string;
  value: string;
  requestId: string;
  /** Epoch milliseconds. */
  at: number;
};

/** The table holds no more rows than this, and none whose last time is longer ago. */
export const MAX_REFUSALS = 10_000;
export const REFUSALS_SHOWN_MS = 14 * 86_400_000;

const MAX_GATHERED = 100;
/** A few refusals are written down at once; of a flood one statement a second is. */
const BURST = 10;
const WRITE_INTERVAL_MS = 1_000;
const ROWS_A_STATEMENT = 10_000;

/** Gathers refusals in memory until they are written down; the same one again is only counted. */
export class RefusalTrace {
  #gathered = new Map<string, Refusal & { count: number }>();
  #writes = BURST;
  #refilledAt = 0;

  /** Of more than it holds the last ones are kept; the others have their count in the metrics and their line in the log. */
  add(refusal: Refusal): void {
    const { tokenId, modelRunId, trialId, error, field, rule } = refusal;
    const kind = JSON.stringify([tokenId, modelRunId, trialId, error, field, rule]);
    const known = this.#gathered.get(kind);
    this.#gathered.delete(kind);
    this.#gathered.set(kind, { ...refusal, count: (known?.count ?? 0) + 1 });
    const [oldest] = this.#gathered.keys();
    if (this.#gathered.size > MAX_GATHERED && oldest !== undefined) this.#gathered.delete(oldest);
  }

  /** Whether there is something to write down, and room for a write. */
  isDue(now: number): boolean {
    if (this.#gathered.size === 0) return false;
    const refill = Math.floor((now - this.#refilledAt) / WRITE_INTERVAL_MS);
    if (refill > 0) {
      this.#writes = Math.min(BURST, this.#writes + refill);
      this.#refilledAt = now;
    }
    if (this.#writes <= 0) return false;
    this.#writes--;
    return true;
  }

  /** Writes down what was gathered. What a database that refuses does not take is let go. */
  async flush(db: D1Database): Promise<void> {
    if (this.#gathered.size === 0) return;
    const rows = [...this.#gathered.values()];
    this.#gathered.clear();
    await db.batch([db.prepare(NOTE).bind(JSON.stringify(rows)), db.prepare(TRIM).bind(MAX_REFUSALS)]);
  }
}

const NOTE = `
  insert into refusals
    (token_id, model_run_id, trial_id, error, field, rule, value, request_id, count, first_at, last_at)
  select value ->> 'tokenId', value ->> 'modelRunId', value ->> 'trialId', value ->> 'error', value ->> 'field',
    value ->> 'rule', value ->> 'value', value ->> 'requestId', value ->> 'count', value ->> 'at', value ->> 'at'
  from json_each(?1) where true
  on conflict (token_id, model_run_id, trial_id, error, field, rule) do update set
    count = count + excluded.count, value = excluded.value, request_id = excluded.request_id, last_at = excluded.last_at`;

/** Those that were first seen longest ago go first; one that still occurs comes again as a new one. */
const TRIM = "delete from refusals where id <= (select max(id) from refusals) - ?1";

/** Forgets refusals that have not occurred for long. */
export async function forgetRefusals(db: D1Database, now: number): Promise<number> {
  const { meta } = await db
    .prepare("delete from refusals where id in (select id from refusals where last_at < ?1 limit ?2)")
    .bind(now - REFUSALS_SHOWN_MS, ROWS_A_STATEMENT)
    .run();
  return meta.changes;
}

export type RefusalFilter = {
  model_run_id?: string | undefined;
  trial_id?: string | undefined;
  token_id?: string | undefined;
  error?: string | undefined;
};

const ORDER: Order = { by: refusals.lastAt, id: refusals.id, descending: true, nullable: false };

/** A page of refusals, those that occurred last first, and one more. */
export async function listRefusals(
  db: D1Database,
  filter: RefusalFilter,
  after: Position | null,
  limit: number,
) {
  const rows = await drizzle(db)
    .select()
    .from(refusals)
    .where(and(...conditions(filter), behind(ORDER, after)))
    .orderBy(orderTerms(ORDER))
    .limit(limit + 1);
  return rows.map((row) => ({ ...refusalView(row), position: { value: row.lastAt, id: row.id } }));
}

/** The last refusals of a trial. */
export async function refusalsOfTrial(
  db: D1Database,
  modelRunId: string | null,
  trialId: string | null,
  limit: number,
) {
  const rows = await drizzle(db)
    .select()
    .from(refusals)
    .where(and(...conditions({ model_run_id: modelRunId ?? "", trial_id: trialId ?? "" })))
    .orderBy(desc(refusals.lastAt), desc(refusals.id))
    .limit(limit);
  return rows.map(refusalView);
}

function conditions({ model_run_id, trial_id, token_id, error }: RefusalFilter): (SQL | undefined)[] {
  return [
    model_run_id === undefined ? undefined : eq(refusals.modelRunId, model_run_id),
    trial_id === undefined ? undefined : eq(refusals.trialId, trial_id),
    token_id === undefined ? undefined : eq(refusals.tokenId, token_id),
    error === undefined ? undefined : eq(refusals.error, error),
  ];
}

function refusalView(row: typeof refusals.$inferSelect): RefusalView {
  return {
    token_id: row.tokenId,
    model_run_id: row.modelRunId === "" ? null : row.modelRunId,
    trial_id: row.trialId === "" ? null : row.trialId,
    error: row.error,
    field: row.field === "" ? null : row.field,
    rule: row.rule,
    value: row.value === "" ? null : row.value,
    count: row.count,
    first_at: iso(row.firstAt),
    last_at: iso(row.lastAt),
    request_id: row.requestId,
  };
}
