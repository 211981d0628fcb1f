import { and, asc, eq, isNull, lt } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { streams, trials } from "./schema.ts";

/** Trials that run, with nothing accepted from their trainer since `before`, and not yet found quiet. */
export async function silentTrials(db: D1Database, before: number, limit: number) {
  return drizzle(db)
    .select({
      key: streams.key,
      modelRunId: streams.modelRunId,
      trialId: streams.trialId,
      heardAt: streams.heardAt,
    })
    .from(trials)
    .innerJoin(streams, eq(streams.id, trials.id))
    .where(
      and(
        eq(trials.status, "running"),
        isNull(trials.lostContactAt),
        lt(streams.heardAt, before),
        eq(streams.foldedSeq, streams.lastSeq),
      ),
    )
    .orderBy(asc(trials.id))
    .limit(limit);
}
