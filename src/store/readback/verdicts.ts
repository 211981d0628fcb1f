import { and, asc, eq, gte } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { report as reportSchema } from "../../answers/report.ts";
import type { VerdictBrief } from "../../answers/trials.ts";
import type { Report } from "../../domain/report.ts";
import { iso } from "../listing/common.ts";
import { streams, verdicts } from "../schema/index.ts";

export type Verdict = { verdict: "confirmed" | "differs"; seq: number; checkedAt: number; report: Report };

/** Keeps the latest verdict on a stream. */
export async function storeVerdict(db: D1Database, streamId: number, verdict: Verdict): Promise<void> {
  const row = { ...verdict, report: JSON.stringify(verdict.report) };
  await drizzle(db)
    .insert(verdicts)
    .values({ streamId, ...row })
    .onConflictDoUpdate({ target: verdicts.streamId, set: row });
}

/** The latest verdict on a stream, as the API shows it, but for its report; null before the first. */
export async function latestVerdict(db: D1Database, streamId: number) {
  const row = await verdictRow(db, streamId);
  return row ? verdictView(row) : null;
}

/** The same with its report. */
export async function fullVerdict(db: D1Database, streamId: number) {
  const row = await verdictRow(db, streamId);
  return row ? { ...verdictView(row), report: reportSchema.parse(JSON.parse(row.report)) } : null;
}

async function verdictRow(db: D1Database, streamId: number) {
  return drizzle(db)
    .select({
      verdict: verdicts.verdict,
      seq: verdicts.seq,
      checkedAt: verdicts.checkedAt,
      report: verdicts.report,
      lastSeq: streams.lastSeq,
    })
    .from(verdicts)
    .innerJoin(streams, eq(streams.id, verdicts.streamId))
    .where(eq(verdicts.streamId, streamId))
    .get();
}

/** `up_to_date`: nothing was accepted after what the verdict covers. */
function verdictView(row: NonNullable<Awaited<ReturnType<typeof verdictRow>>>): VerdictBrief {
  const { verdict, seq, checkedAt, lastSeq } = row;
  return { verdict, checked_at: iso(checkedAt), up_to_date: seq >= lastSeq };
}

/** Which streams an operator means: one, those of a model run, or all. */
export type StreamFilter = {
  id?: string | undefined;
  model_run_id?: string | undefined;
  trial_id?: string | undefined;
};

/** The streams of a filter from a number on, in order; a model run comes before most of its trials. */
export async function selectStreams(db: D1Database, filter: StreamFilter, fromId: number, limit: number) {
  const { id, model_run_id, trial_id } = filter;
  return drizzle(db)
    .select({
      id: streams.id,
      key: streams.key,
      kind: streams.kind,
      modelRunId: streams.modelRunId,
      trialId: streams.trialId,
    })
    .from(streams)
    .where(
      and(
        gte(streams.id, fromId),
        id === undefined ? undefined : eq(streams.key, id),
        model_run_id === undefined ? undefined : eq(streams.modelRunId, model_run_id),
        trial_id === undefined ? undefined : eq(streams.trialId, trial_id),
      ),
    )
    .orderBy(asc(streams.id))
    .limit(limit);
}

export type SelectedStream = Awaited<ReturnType<typeof selectStreams>>[number];
