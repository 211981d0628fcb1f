import { and, asc, eq, inArray, isNull, lt, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { modelRuns, streams, trials } from "../schema/index.ts";

/** A running trial, when its trainer was last heard and the last event that its state is made of. */
export type Silent = {
  key: string;
  modelRunId: string | null;
  trialId: string | null;
  heardAt: number;
  lastSeq: number;
};

/** Trials that run, with nothing accepted from their trainer since `before`, and not yet found quiet. */
export async function silentTrials(db: D1Database, before: number, limit: number): Promise<Silent[]> {
  return runningSince(db, before, isNull(trials.lostContactAt)).limit(limit);
}

/**
 * Trials that run although the last that was heard of them, before `before`, is an end: by its clock it is from before
 * the resume after which it was accepted.
 */
export async function doubtfullyEnded(db: D1Database, before: number, limit: number): Promise<Silent[]> {
  const isLastWord = sql`exists (
    select 1 from json_each(${trials.core}, '$.lifecycle.ends') kind join json_each(kind.value) e
    where e.value ->> '$.seq' = ${trials.core} ->> '$.lifecycle.heardSeq'
      and (e.value ->> '$.acceptedAt', e.value ->> '$.seq')
        > (${trials.core} ->> '$.lifecycle.reset.resumed.acceptedAt', ${trials.core} ->> '$.lifecycle.reset.seq'))`;
  return runningSince(db, before, sql`${trials.lostContactAt} is null and ${isLastWord}`).limit(limit);
}

/** Trials that run although their model run ended, with nothing accepted from either's trainer since `before`. */
export async function orphanedTrials(
  db: D1Database,
  before: number,
  now: number,
  limit: number,
): Promise<Silent[]> {
  // Asked for each of the few that run, not the other way round: of model runs that ended there are ever more.
  const isOrphaned = sql`exists (select 1 from ${modelRuns} join streams p on p.id = ${modelRuns.id}
    where ${modelRuns.modelRunId} = ${trials.modelRunId} and ${inArray(modelRuns.state, ["succeeded", "failed", "cancelled"])}
      and p.folded_seq = p.last_seq and p.heard_at < ${before}
      -- An end by a clock that is ahead says nothing of when it was.
      and (${modelRuns.endedAt} < ${before} or ${modelRuns.endedAt} > ${now}))`;
  return runningSince(db, before, isOrphaned).limit(limit);
}

function runningSince(db: D1Database, before: number, which: SQL) {
  return drizzle(db)
    .select({
      key: streams.key,
      modelRunId: streams.modelRunId,
      trialId: streams.trialId,
      heardAt: streams.heardAt,
      lastSeq: streams.lastSeq,
    })
    .from(trials)
    .innerJoin(streams, eq(streams.id, trials.id))
    .where(
      and(
        eq(trials.status, "running"),
        lt(streams.heardAt, before),
        eq(streams.foldedSeq, streams.lastSeq),
        which,
      ),
    )
    .orderBy(asc(trials.id));
}
