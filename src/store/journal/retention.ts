import { and, asc, eq, gt, gte, isNotNull, isNull, lt, lte, or, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { isOutOfStatements } from "../database/budget.ts";
import { batches, modelRuns, streams, trials } from "../schema/index.ts";
import { NOW_MS } from "../sql.ts";
import type { StreamRow } from "../stream/leases.ts";

const MAX_FORGOTTEN_STREAMS = 100;
/** So few rows a statement that live writes are not held up. */
const ROWS_A_STATEMENT = 5_000;
/** The same of the points' JSON. */
const BYTES_A_STATEMENT = 4_000_000;

/** What never ended is pruned too, once its trainer was silent for so long; when it speaks again, nothing is amiss. */
const ABANDONED_MS = 14 * 86_400_000;

export type Retirable = { id: number; kind: StreamRow["kind"]; isRunless: boolean; lastSeq: number };

/**
 * Streams that MLflow has had all of for longer than `ageMs`, that ended or were abandoned, and whose journal is still
 * here. `isRunless`: a model run of which nothing belongs in MLflow.
 */
export async function retirable(
  db: D1Database,
  now: number,
  ageMs: number,
  limit: number,
): Promise<Retirable[]> {
  const restsSince = sql`coalesce(${streams.deliveredAt}, ${streams.updatedAt})`;
  const orm = drizzle(db);
  const due = (which: SQL | undefined) =>
    orm
      .select({
        id: streams.id,
        kind: streams.kind,
        lastSeq: streams.lastSeq,
        isRunless: sql`${streams.kind} = 'model_run' and ${streams.mlflowRunId} is null`.mapWith(Boolean),
      })
      .from(streams)
      .leftJoin(trials, eq(trials.id, streams.id))
      .leftJoin(modelRuns, eq(modelRuns.id, streams.id))
      .leftJoin(batches, eq(batches.streamId, streams.id))
      .where(
        and(
          which,
          isNull(streams.pruningSeq),
          or(isNull(streams.pruneAt), lte(streams.pruneAt, now)),
          lt(restsSince, now - ageMs),
          gt(streams.lastSeq, 0),
          gte(streams.deliveredSeq, streams.lastSeq),
          isNull(batches.n),
          isNull(streams.sendingToken),
          or(
            isNotNull(trials.endedAt),
            isNotNull(modelRuns.endedAt),
            lt(streams.heardAt, now - Math.max(ageMs, ABANDONED_MS)),
          ),
        ),
      )
      .limit(limit);
  const [first, again] = await orm.batch([
    due(and(isNull(streams.prunedAt), lt(streams.createdAt, now - ageMs))).orderBy(asc(streams.createdAt)),
    // What came after it was pruned is pruned in its turn.
    due(lt(streams.prunedAt, restsSince)).orderBy(asc(streams.id)),
  ]);
  return [...first, ...again].slice(0, limit);
}

/** Has pruning a stream wait: it could not be read back, and others have their turn meanwhile. */
export async function postponePruning(db: D1Database, streamId: number, until: number): Promise<void> {
  await drizzle(db).update(streams).set({ pruneAt: until }).where(eq(streams.id, streamId));
}

/** Up to where MLflow was seen to have a stream's journal, and in which run; null: it is to have none. */
export type Seen = { seq: number; runId: string | null };

/**
 * Marks that a stream's journal is pruned as far as MLflow was seen to have it. Whoever reads the history from here on
 * asks MLflow.
 * @param forgetAt until when its events are known, so that a repeat is one, epoch milliseconds
 * @returns false when somebody has it in hand, or it is not as it was seen: more was delivered since, or some of it is to
 *   be sent again, to this run or to another
 */
export async function beginPruning(
  db: D1Database,
  streamId: number,
  { seq, runId }: Seen,
  now: number,
  forgetAt: number,
): Promise<boolean> {
  const isAsSeen = and(eq(streams.deliveredSeq, seq), sql`${streams.mlflowRunId} is ${runId}`);
  const isFree = sql`${streams.leaseUntil} < ${sql.raw(NOW_MS)}`;
  const rows = await drizzle(db)
    .update(streams)
    .set({ prunedAt: now, pruningSeq: seq, pruneAt: null, forgetAt })
    .where(and(eq(streams.id, streamId), isAsSeen, isFree))
    .returning({ id: streams.id });
  return rows.length > 0;
}

/** Streams whose pruning was begun and is not at its end. */
export async function unfinishedPruning(
  db: D1Database,
  limit: number,
): Promise<{ id: number; seq: number }[]> {
  return drizzle(db)
    .select({ id: streams.id, seq: sql<number>`${streams.pruningSeq}` })
    .from(streams)
    .where(isNotNull(streams.pruningSeq))
    .orderBy(asc(streams.id))
    .limit(limit);
}

/**
 * Deletes the points of a stream whose pruning was begun, some at a time, and what its events brought: of each is left
 * what tells a repeat, and whether the trial goes on. The folded state, summaries, parameters and tags stay. Cut off
 * anywhere, it goes on where it was.
 * @param room so many rows about
 * @returns how many rows it was
 */
export async function prune(
  db: D1Database,
  { id, seq }: { id: number; seq: number },
  room: number,
): Promise<number> {
  let rows = 0;
  for (;;) {
    if (rows >= room) return rows;
    const { meta } = await db.prepare(DELETE_POINTS).bind(id, seq, ROWS_A_STATEMENT).run();
    rows += meta.changes;
    if (meta.changes === 0) break;
  }
  for (;;) {
    if (rows >= room) return rows;
    const [strip, move] = await db.batch<{ pruned_seq: number }>(
      [STRIP_EVENTS, MOVE_PRUNED].map((query) => db.prepare(query).bind(id, seq, ROWS_A_STATEMENT)),
    );
    const [reached] = move?.results ?? [];
    if (!reached || reached.pruned_seq >= seq) return rows + (strip?.meta.changes ?? 0);
    rows += ROWS_A_STATEMENT;
  }
}

/** Forgets what was pruned long ago, about `room` rows of it and as far as there are statements; how many went. */
export async function forget(db: D1Database, now: number, room: number): Promise<number> {
  const due = await drizzle(db)
    .select({ id: streams.id })
    .from(streams)
    .where(and(lte(streams.forgetAt, now), isNull(streams.pruningSeq)))
    .orderBy(asc(streams.forgetAt))
    .limit(MAX_FORGOTTEN_STREAMS);
  let rows = 0;
  try {
    for (const { id } of due) {
      for (const query of [FORGET_EVENTS, FORGET_IDENTITIES])
        for (;;) {
          if (rows >= room) return rows;
          const { meta } = await db.prepare(query).bind(id, ROWS_A_STATEMENT).run();
          rows += meta.changes;
          if (meta.changes < ROWS_A_STATEMENT) break;
        }
      await drizzle(db)
        .update(streams)
        .set({ forgetAt: null })
        .where(and(eq(streams.id, id), lte(streams.forgetAt, now)));
    }
  } catch (error) {
    if (!isOutOfStatements(error)) throw error;
  }
  return rows;
}

/** Whether nothing is left of what the journal of stream `s` had at a time: it was pruned since then, or all of it is. */
export function isPrunedSince(at: string): string {
  return `(s.pruned_at > ${at} or s.pruned_seq >= s.last_seq)`;
}

/** Deletes dead letters that were settled before a time and explain nothing any more, at most so many. */
export async function deleteSettledLetters(db: D1Database, before: number, limit: number): Promise<number> {
  return (await db.prepare(DELETE_LETTERS).bind(before, limit).run()).meta.changes;
}

/** One at least, of those whose points all go. */
const DELETE_POINTS = `
  delete from metric_chunks where (stream_id, key, seq, n) in (
    select stream_id, key, seq, n from (
      select *, row_number() over so_far as place, sum(bytes) over so_far as bytes_so_far from (
        select stream_id, key, seq, n, octet_length(points) as bytes from metric_chunks
        where stream_id = ?1 and seq <= ?2 limit ?3)
      window so_far as (rows unbounded preceding))
    where place = 1 or bytes_so_far <= ${BYTES_A_STATEMENT})`;

/** Of an event's facts, what the next word of its trial is judged by. */
const STRIPPED = `iif(json_valid(facts), nullif(json_patch('{}', json_object(
  'ends', facts -> '$.ends', 'resumes', facts -> '$.resumes', 'endedAt', facts -> '$.endedAt')), '{}'), null)`;

const PRUNED_SEQ = "(select pruned_seq from streams where id = ?1)";

/** Up to where the next ?3 events go. */
const NEXT_PRUNED = `(
  select iif(count(*) < ?3, ?2, max(seq)) from (
    select seq from events where stream_id = ?1 and seq > ${PRUNED_SEQ} and seq <= ?2 order by seq limit ?3))`;

const STRIP_EVENTS = `
  update events set facts = ${STRIPPED}, warnings = null
  where stream_id = ?1 and seq > ${PRUNED_SEQ} and seq <= ${NEXT_PRUNED}
    and (facts is not null or warnings is not null)`;

const MOVE_PRUNED = `
  update streams set pruned_seq = ${NEXT_PRUNED}, pruning_seq = nullif(?2, ${NEXT_PRUNED})
  where id = ?1 and pruning_seq = ?2 returning pruned_seq`;

const FORGET_EVENTS = `
  delete from events where stream_id = ?1 and seq in (
    select e.seq from events e join streams s on s.id = e.stream_id
    where e.stream_id = ?1 and e.seq <= s.pruned_seq order by e.seq limit ?2)`;

/** But for contents whose event is still here. */
const FORGET_IDENTITIES = `
  delete from identities where stream_id = ?1 and event_id in (
    select i.event_id from identities i
    where i.stream_id = ?1 and (i.seq is null or i.seq not in (select e.seq from events e where e.stream_id = ?1))
    limit ?2)`;

/**
 * Parameters and tags stay in the record after pruning, and so does what is said of those that MLflow refused. Which
 * letters may go at all is written out as in their index.
 */
const DELETE_LETTERS = `
  delete from dead_letters where id in (
    select d.id from dead_letters d indexed by dead_letters_passing left join streams s on s.id = d.stream_id
    where d.state in ('replayed', 'dropped') and d.kind in ('message', 'status', 'metric')
      and d.settled_at < ?1 and (d.kind <> 'metric' or ${isPrunedSince("d.settled_at")})
    order by d.settled_at limit ?2)`;
