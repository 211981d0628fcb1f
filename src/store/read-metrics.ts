import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Counts } from "./counters.ts";
import { syncState } from "./read-common.ts";
import { streams } from "./schema.ts";

/** Counting stops here, so that a scrape during a long outage does not read the whole journal. */
export const MAX_COUNTED_BACKLOG = 1_000_000;

export type Readings = {
  counters: Counts;
  trialsByStatus: Counts;
  streams: { kind: string; syncState: string; count: number }[];
  deadLettersByState: Counts;
  conflictsByKind: Counts;
  openConflictsByKind: Counts;
  /** Trials and model runs. */
  blockedByKind: Counts;
  /** Only of those that are not over: the others pile up for a month. */
  jobsByState: Counts;
  /** Undelivered events, counted up to `MAX_COUNTED_BACKLOG`. */
  backlog: number;
  oldestUndeliveredAt: number | null;
  /** The journal's last number, and the last up to which MLflow has everything. */
  acceptedSeq: number;
  deliveredSeq: number;
  lastPass: { finishedAt: number; pokes: number } | null;
  databaseBytes: number;
};

/** Every statement gives rows of this one shape. */
type Row = { label: string; detail?: string; value: number | null };

/**
 * What /metrics shows of the database: one transaction, in which nothing grows with the journal but a bounded count
 * over an index.
 */
export async function readMetrics(db: D1Database): Promise<Readings> {
  const results = await db.batch<Row>([
    db.prepare("select name as label, value from counters order by name"),
    db.prepare("select status as label, count(*) as value from trials group by status"),
    streamCounts(db),
    db.prepare("select state as label, count(*) as value from dead_letters group by state"),
    db.prepare("select kind as label, count(*) as value from conflicts group by kind"),
    db.prepare("select kind as label, count(*) as value from conflicts where state = 'open' group by kind"),
    db.prepare(BLOCKED),
    db.prepare(JOBS),
    db.prepare(BACKLOG),
    db.prepare(LAST_PASS),
  ]);
  const [counters, trials, streamRows, deadLetters, conflicts, openConflicts, blocked, jobs, backlog, pass] =
    results.map((result) => result.results);
  const { events = 0, oldestAt, acceptedSeq = 0, undeliveredSeq } = byLabel(backlog);
  const { finishedAt, pokes } = byLabel(pass);
  return {
    counters: byLabel(counters),
    trialsByStatus: byLabel(trials),
    streams: (streamRows ?? []).map(({ label, detail = "", value }) => ({
      kind: label,
      syncState: detail,
      count: value ?? 0,
    })),
    deadLettersByState: byLabel(deadLetters),
    conflictsByKind: byLabel(conflicts),
    openConflictsByKind: byLabel(openConflicts),
    blockedByKind: byLabel(blocked),
    jobsByState: byLabel(jobs),
    backlog: events,
    oldestUndeliveredAt: oldestAt ?? null,
    acceptedSeq,
    deliveredSeq: undeliveredSeq === undefined ? acceptedSeq : undeliveredSeq - 1,
    lastPass: finishedAt === undefined ? null : { finishedAt, pokes: pokes ?? 0 },
    databaseBytes: results[0]?.meta.size_after ?? 0,
  };
}

function byLabel(rows: readonly Row[] = []): Counts {
  return Object.fromEntries(
    rows.flatMap(({ label, value }) => (value === null ? [] : [[label, value] as const])),
  );
}

/** Streams by kind and sync state, with the same words for it as every list. */
function streamCounts(db: D1Database): D1PreparedStatement {
  const query = drizzle(db)
    .select({
      label: sql`${streams.kind}`.as("label"),
      detail: syncState.as("detail"),
      value: sql`count(*)`.as("value"),
    })
    .from(streams)
    .groupBy(sql`label`, sql`detail`)
    .toSQL();
  return db.prepare(query.sql).bind(...query.params);
}

const BLOCKED = `
  select blocked_kind as label, count(*) as value from streams where blocked_kind is not null group by blocked_kind`;

const JOBS = `
  select state as label, count(*) as value from jobs where state in ('queued', 'running') group by state`;

/** What an operator has given up is not behind. */
const IS_BEHIND = `s.delivered_seq < s.last_seq and s.blocked_kind is not 'forgotten'`;

/** Only streams that are behind are looked at, and of the oldest events only the first of each. */
const BACKLOG = `
  with firsts as materialized (
    select (select min(e.seq) from events e where e.stream_id = s.id and e.seq > s.delivered_seq) as seq
    from streams s where ${IS_BEHIND})
  select 'events' as label, count(*) as value from (
    select 1 from streams s cross join events e on e.stream_id = s.id and e.seq > s.delivered_seq
    where ${IS_BEHIND} limit ${MAX_COUNTED_BACKLOG})
  union all
  select 'oldestAt', min(accepted_at) from events where seq in (select seq from firsts)
  union all
  select 'undeliveredSeq', min(seq) from firsts
  union all
  select 'acceptedSeq', max(last_seq) from streams`;

const LAST_PASS = `
  with pass as (select finished_at, iif(json_valid(report), report ->> '$.pokedTrials', null) as pokes from cron_passes order by id desc limit 1)
  select 'finishedAt' as label, finished_at as value from pass
  union all
  select 'pokes', pokes from pass`;
