import { desc, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import * as z from "zod";
import type { CronPass } from "../answers/ops.ts";
import { ending } from "./counted.ts";
import { cronPasses } from "./schema.ts";

/** What one pass of the cron did. Counts, but for `probe` and `error`. */
export type PassReport = {
  pokedTrials: number;
  settledCreates: number;
  deletedDoubles: number;
  confirmedTrials: number;
  resentTrials: number;
  quietTrials: number;
  orphanedTrials: number;
  retiredTrials: number;
  prunedRows: number;
  forgottenRows: number;
  pokedJobs: number;
  summarizedModelRuns: number;
  prunedHistoryPages: number;
  watchedExperiments: number;
  pulledRuns: number;
  changedRuns: number;
  mergedRuns: number;
  mergeConflicts: number;
  unblockedTrials: number;
  /** Where the next pass goes on with pulling; 0: at the beginning. */
  nextPullId: number;
  probe: "closed" | "open" | "not due";
  error: string | null;
};

/** A pass that found nothing to do. */
export const NOTHING_DONE: PassReport = {
  pokedTrials: 0,
  settledCreates: 0,
  deletedDoubles: 0,
  confirmedTrials: 0,
  resentTrials: 0,
  quietTrials: 0,
  orphanedTrials: 0,
  retiredTrials: 0,
  prunedRows: 0,
  forgottenRows: 0,
  pokedJobs: 0,
  summarizedModelRuns: 0,
  prunedHistoryPages: 0,
  watchedExperiments: 0,
  pulledRuns: 0,
  changedRuns: 0,
  mergedRuns: 0,
  mergeConflicts: 0,
  unblockedTrials: 0,
  nextPullId: 0,
  probe: "not due",
  error: null,
};

const report: z.ZodType<PassReport> = z.object({
  pokedTrials: z.number(),
  settledCreates: z.number(),
  deletedDoubles: z.number(),
  quietTrials: z.number(),
  orphanedTrials: z.number().default(0),
  retiredTrials: z.number(),
  prunedRows: z.number(),
  // A report that an older build stored lacks these.
  confirmedTrials: z.number().default(0),
  resentTrials: z.number().default(0),
  forgottenRows: z.number().default(0),
  pokedJobs: z.number().default(0),
  summarizedModelRuns: z.number().default(0),
  prunedHistoryPages: z.number().default(0),
  watchedExperiments: z.number().default(0),
  pulledRuns: z.number().default(0),
  changedRuns: z.number().default(0),
  mergedRuns: z.number().default(0),
  mergeConflicts: z.number().default(0),
  unblockedTrials: z.number().default(0),
  nextPullId: z.number().default(0),
  probe: z.enum(["closed", "open", "not due"]),
  error: z.string().nullable(),
});

const KEPT_PASSES = 500;

/** Stores a pass's report and forgets the oldest. */
export async function storePass(
  db: D1Database,
  startedAt: number,
  finishedAt: number,
  pass: PassReport,
): Promise<void> {
  const orm = drizzle(ending(db));
  await orm.batch([
    orm.insert(cronPasses).values({ startedAt, finishedAt, report: JSON.stringify(pass) }),
    orm.delete(cronPasses).where(sql`${cronPasses.id} <= (select max(id) from cron_passes) - ${KEPT_PASSES}`),
  ]);
}

/** Where the last pass stopped pulling; 0: it saw everything. */
export async function lastPull(db: D1Database): Promise<number> {
  const [row] = await drizzle(db).select().from(cronPasses).orderBy(desc(cronPasses.id)).limit(1);
  return row ? report.parse(JSON.parse(row.report)).nextPullId : 0;
}

/** The latest passes, newest first. */
export async function listPasses(db: D1Database, limit: number): Promise<CronPass[]> {
  const rows = await drizzle(db).select().from(cronPasses).orderBy(desc(cronPasses.id)).limit(limit);
  return rows.map((row) => {
    const pass = report.parse(JSON.parse(row.report));
    return {
      started_at: new Date(row.startedAt).toISOString(),
      finished_at: new Date(row.finishedAt).toISOString(),
      poked_trials: pass.pokedTrials,
      settled_creates: pass.settledCreates,
      deleted_doubles: pass.deletedDoubles,
      confirmed_trials: pass.confirmedTrials,
      resent_trials: pass.resentTrials,
      quiet_trials: pass.quietTrials,
      orphaned_trials: pass.orphanedTrials,
      retired_trials: pass.retiredTrials,
      pruned_rows: pass.prunedRows,
      forgotten_rows: pass.forgottenRows,
      poked_jobs: pass.pokedJobs,
      summarized_model_runs: pass.summarizedModelRuns,
      pruned_history_pages: pass.prunedHistoryPages,
      watched_experiments: pass.watchedExperiments,
      pulled_runs: pass.pulledRuns,
      changed_runs: pass.changedRuns,
      merged_runs: pass.mergedRuns,
      merge_conflicts: pass.mergeConflicts,
      unblocked_trials: pass.unblockedTrials,
      probe: pass.probe,
      error: pass.error,
    };
  });
}
