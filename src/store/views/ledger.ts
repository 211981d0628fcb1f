import * as z from "zod";
import { type LedgerEntry, ledgerTotals as totals } from "../../answers/ledger.ts";
import { warningSchema } from "../../domain/warnings.ts";
import {
  CONFLICT_KINDS,
  LEDGER_STATES,
  LETTER_KINDS,
  LETTER_STATES,
  type LedgerState,
} from "../../domain/words.ts";
import { mayHave } from "../journal/chunks.ts";
import { iso } from "../listing/common.ts";

/** The journal of a trial with what became of each event. */

export type LedgerFilter = { state?: LedgerState | undefined; event_id?: string | undefined };

const entry = z.object({
  seq: z.number(),
  event_id: z.string(),
  type: z.string(),
  correlation_id: z.string(),
  occurred_at: z.number(),
  accepted_at: z.number(),
  delivered_by: z.number().nullable(),
  confirmed_at: z.number().nullable(),
  repeats: z.number(),
  points: z.number(),
  warnings: z.string().nullable(),
  state: z.enum(LEDGER_STATES),
});

/** A page of a trial's events in the order of acceptance, and one more. */
export async function ledgerPage(
  db: D1Database,
  streamId: number,
  filter: LedgerFilter,
  afterSeq: number,
  limit: number,
) {
  const { results } = await db
    .prepare(
      `${LEDGER} select * from ledger where seq > ?2 and (?3 is null or state = ?3) and (?4 is null or event_id = ?4)
       order by seq limit ?5`,
    )
    .bind(streamId, afterSeq, filter.state ?? null, filter.event_id ?? null, limit + 1)
    .all();
  const rows = z.array(entry).parse(results);
  const troubleOf = await troubles(
    db,
    streamId,
    rows.slice(0, limit).map((row) => row.seq),
  );
  return rows.map((row) => ({
    ...row,
    occurred_at: iso(row.occurred_at),
    accepted_at: iso(row.accepted_at),
    delivered_by: iso(row.delivered_by),
    confirmed_at: iso(row.confirmed_at),
    warnings: row.warnings === null ? [] : z.array(warningSchema).parse(JSON.parse(row.warnings)),
    ...troubleOf(row.seq),
    position: { value: null, id: row.seq },
  }));
}

/** How many of a trial's events came how far. An event with a conflict or a dead letter is delivered but for that. */
export async function ledgerTotals(db: D1Database, streamId: number) {
  return totals.parse(await db.prepare(TOTALS).bind(streamId).first());
}

const found = { seq: z.number(), id: z.number(), refused: z.string(), created_at: z.number() };
const trouble = z.discriminatedUnion("what", [
  z.object({
    ...found,
    what: z.literal("conflict"),
    kind: z.enum(CONFLICT_KINDS),
    field: z.string(),
    kept: z.string().nullable(),
  }),
  z.object({
    ...found,
    what: z.literal("dead letter"),
    kind: z.enum(LETTER_KINDS),
    reason: z.string(),
    state: z.enum(LETTER_STATES),
  }),
]);

/** The conflicts and dead letters of some events. */
async function troubles(db: D1Database, streamId: number, seqs: readonly number[]) {
  const { results } = await db.prepare(TROUBLES).bind(streamId, JSON.stringify(seqs)).all();
  const bySeq = Map.groupBy(z.array(trouble).parse(results), (row) => row.seq);
  return (seq: number): Pick<LedgerEntry, "conflicts" | "dead_letters"> => {
    const own = bySeq.get(seq) ?? [];
    return {
      conflicts: own.flatMap((row) => {
        if (row.what !== "conflict") return [];
        const { id, kind, field, kept, refused, created_at } = row;
        return [{ id, kind, field, kept, refused, created_at: iso(created_at) }];
      }),
      dead_letters: own.flatMap((row) => {
        if (row.what !== "dead letter") return [];
        const { id, kind, refused, reason, state, created_at } = row;
        const item = z.json().parse(JSON.parse(refused));
        return [{ id, kind, item, reason, state, created_at: iso(created_at) }];
      }),
    };
  };
}

/**
 * Refused points are looked up all together, in one way through the chunks that may have them.
 * An event is found for a dead letter by its item, for a conflict by its id; where MLflow had another value of a
 * parameter, by the parameter. A letter that was sent again is no longer dead.
 */
const LEDGER = `
  with refused (stream_id, id, key, step, timestamp, value) as materialized (
    select stream_id, id, item ->> '$.key', item ->> '$.step', item ->> '$.timestamp', item ->> '$.value'
    from dead_letters where stream_id = ?1 and kind = 'metric' and state <> 'replayed'
  ), span as (
    select stream_id, key, min(step) as low, max(step) as high, min(timestamp) as earliest from refused group by key
  ), near (seq, key, step, timestamp, value) as (
    select p.value ->> 0, c.key, p.value ->> 2, p.value ->> 3, p.value ->> 4
    from span cross join metric_chunks c cross join json_each(c.points) p
    where ${mayHave("span", "span.low", "span.high", "span.earliest")}
  ), dead (seq, id) as (
    select near.seq, r.id from near cross join refused r
      on r.key = near.key and r.step = near.step and r.timestamp = near.timestamp and r.value = near.value
    union all
    select p.seq, d.id from dead_letters d join params p on p.stream_id = d.stream_id and p.key = d.item ->> '$.key'
    where d.stream_id = ?1 and d.kind = 'param' and d.state <> 'replayed'
    union all
    select t.seq, d.id from dead_letters d join tags t
      on t.stream_id = d.stream_id and t.key = d.item ->> '$.key' and t.value = d.item ->> '$.value'
    where d.stream_id = ?1 and d.kind = 'tag' and d.state <> 'replayed'
  ), clash (seq, id) as (
    select e.seq, c.id from conflicts c join events e on e.stream_id = c.stream_id and e.event_id = c.event_id
    where c.stream_id = ?1
    union all
    select p.seq, c.id from conflicts c join params p on p.stream_id = c.stream_id and p.key = c.field
    where c.stream_id = ?1 and c.kind = 'param' and c.source = 'mlflow'
  ), ledger as (
    select e.seq, e.event_id, e.type, e.correlation_id, e.occurred_at, e.accepted_at, e.repeats, e.points, e.warnings,
      case when e.seq <= s.delivered_seq then s.delivered_at end as delivered_by,
      case when e.seq <= s.delivered_seq and e.seq <= v.seq and v.verdict = 'confirmed' then v.checked_at end
        as confirmed_at,
      case
        when e.seq in (select seq from dead) then 'dead'
        when e.seq in (select seq from clash) then 'conflicting'
        when e.seq <= s.delivered_seq and e.seq <= v.seq and v.verdict = 'confirmed' then 'confirmed'
        when e.seq <= s.delivered_seq then 'delivered'
        when e.seq <= s.planned_seq then 'planned'
        else 'accepted' end as state
    from streams s join events e on e.stream_id = s.id left join verdicts v on v.stream_id = s.id
    where s.id = ?1
  )`;

const TOTALS = `
  ${LEDGER}
  select count(*) as accepted, count(delivered_by) as delivered, count(confirmed_at) as confirmed,
    coalesce(sum(repeats), 0) as duplicates, count(case state when 'conflicting' then 1 end) as conflicting,
    count(case state when 'dead' then 1 end) as dead
  from ledger`;

const TROUBLES = `
  ${LEDGER}
  select clash.seq as seq, 'conflict' as what, c.id as id, c.kind, c.field, c.kept, c.refused, null as reason, null as state,
    c.created_at
  from clash join conflicts c on c.id = clash.id where clash.seq in (select value from json_each(?2))
  union all
  select dead.seq, 'dead letter', d.id, d.kind, null, null, d.item, d.reason, d.state, d.created_at
  from dead join dead_letters d on d.id = dead.id where dead.seq in (select value from json_each(?2))
  order by what, id`;
