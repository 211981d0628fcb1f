import { and, gte, isNotNull, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { ARTIFACT_BACKLOG } from "../artifacts/hand-over.ts";
import { MODEL_BACKLOG } from "../gateway/models-behind.ts";
import { syncState } from "../listing/common.ts";
import { streams } from "../schema/index.ts";
import { behind } from "../stream/warm.ts";
import type { Counts } from "./counters.ts";

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
  /** Files that are still to go to MLflow: those that wait, those that are blocked, and the bytes of both. */
  artifacts: Counts;
  /** Undelivered events, counted up to `MAX_COUNTED_BACKLOG`. */
  backlog: number;
  oldestUndeliveredAt: number | null;
  /** The journal's last number, and the last up to which MLflow has everything. */
  /** Logged models that MLflow has not heard all of. */
  modelsBehind: number;
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
    db.prepare("select name as label, value from tallies"),
    unfinishedStreams(db),
    db.prepare(BLOCKED),
    db.prepare(JOBS),
    db.prepare(ARTIFACT_BACKLOG),
    db.prepare(MODEL_BACKLOG),
    db.prepare(BACKLOG),
    db.prepare(LAST_PASS),
  ]);
  const [counters, tallies, unfinished, blocked, jobs, files, models, backlog, pass] = results.map(
    (result) => result.results,
  );
  const tally = byLabel(tallies);
  const openConflicts = under(tally, "conflicts.open.");
  const { events = 0, oldestAt } = byLabel(backlog);
  const { finishedAt, pokes } = byLabel(pass);
  return {
    counters: byLabel(counters),
    trialsByStatus: under(tally, "trials."),
    streams: streamCounts(under(tally, "streams."), unfinished),
    deadLettersByState: under(tally, "dead_letters."),
    conflictsByKind: sum(openConflicts, under(tally, "conflicts.resolved.")),
    openConflictsByKind: openConflicts,
    blockedByKind: byLabel(blocked),
    jobsByState: byLabel(jobs),
    artifacts: byLabel(files),
    modelsBehind: byLabel(models).behind ?? 0,
    backlog: events,
    oldestUndeliveredAt: oldestAt ?? null,
    lastPass: finishedAt === undefined ? null : { finishedAt, pokes: pokes ?? 0 },
    databaseBytes: results[0]?.meta.size_after ?? 0,
  };
}

function byLabel(rows: readonly Row[] = []): Counts {
  return Object.fromEntries(
    rows.flatMap(({ label, value }) => (value === null ? [] : [[label, value] as const])),
  );
}

/** The counts whose names begin so, by the rest of the name. */
function under(counts: Counts, prefix: string): Counts {
  return Object.fromEntries(
    Object.entries(counts).flatMap(([name, value]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), value] as const] : [],
    ),
  );
}

function sum(a: Counts, b: Counts): Counts {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries([...names].map((name) => [name, (a[name] ?? 0) + (b[name] ?? 0)]));
}

/** Streams by kind and sync state: all but the unfinished are synced. */
function streamCounts(totals: Counts, unfinished: readonly Row[] = []): Readings["streams"] {
  const counted = unfinished.map(({ label, detail = "", value }) => ({
    kind: label,
    syncState: detail,
    count: value ?? 0,
  }));
  return Object.entries(totals).flatMap(([kind, total]) => {
    const own = counted.filter((row) => row.kind === kind);
    const synced = total - own.reduce((all, row) => all + row.count, 0);
    return [...own, { kind, syncState: "synced", count: synced }];
  });
}

/**
 * Streams that are behind or blocked, by kind and sync state, with the same words for it as every list. Each half is
 * in an index, so that the others are not read.
 */
function unfinishedStreams(db: D1Database): D1PreparedStatement {
  const orm = drizzle(db);
  const isBehind = sql.raw(behind());
  const columns = { label: sql`${streams.kind}`.as("label"), detail: syncState.as("detail") };
  const half = (condition: SQL | undefined) =>
    orm
      .select({ ...columns, value: sql`count(*)`.as("value") })
      .from(streams)
      .where(condition)
      .groupBy(sql`label`, sql`detail`);
  const blockedOnly = and(isNotNull(streams.blockedKind), gte(streams.deliveredSeq, streams.lastSeq));
  const query = half(isBehind).unionAll(half(blockedOnly)).toSQL();
  return db.prepare(query.sql).bind(...query.params);
}

const BLOCKED = `
  select blocked_kind as label, count(*) as value from streams where blocked_kind is not null group by blocked_kind`;

const JOBS = `
  select state as label, count(*) as value from jobs where state in ('queued', 'running') group by state`;

/** What an operator has given up is not behind. */
const IS_BEHIND = `${behind("s")} and s.blocked_kind is not 'forgotten'`;

/** Only streams that are behind are looked at, and of the oldest events only the first of each. */
const BACKLOG = `
  with firsts as materialized (
    select s.id, (select min(e.seq) from events e where e.stream_id = s.id and e.seq > s.delivered_seq) as seq
    from streams s where ${IS_BEHIND})
  select 'events' as label, count(*) as value from (
    select 1 from streams s cross join events e on e.stream_id = s.id and e.seq > s.delivered_seq
    where ${IS_BEHIND} limit ${MAX_COUNTED_BACKLOG})
  union all
  select 'oldestAt', min(accepted_at) from events where (stream_id, seq) in (select id, seq from firsts)`;

const LAST_PASS = `
  with pass as (select finished_at, iif(json_valid(report), coalesce(report ->> '$.poked_trials', report ->> '$.pokedTrials'), null) as pokes from cron_passes order by id desc limit 1)
  select 'finishedAt' as label, finished_at as value from pass
  union all
  select 'pokes', pokes from pass`;
