import { pruneJobs } from "../store/job-records.ts";
import type { PassReport } from "../store/passes.ts";
import type { Deps } from "./deps.ts";
import { pruneHistory } from "./history.ts";
import { pokeDueJobs } from "./jobs.ts";
import { pullRunning } from "./pull-running.ts";
import { pullWatched } from "./pull-watched.ts";
import { summarizeModelRuns } from "./summarize.ts";

/** What one pass looks at; the next one goes on where it stopped. */
const MAX_PULLED_RUNS = 5_000;
const MAX_PULL_MS = 60_000;
/**
 * An invocation has a thousand statements, and this pass shares it. 600 are nine merges and a page, or ninety looks
 * at trials that log all the time; the next pass goes on in five minutes, and a job for an experiment does more at once.
 * What was verified and looked at before it in this pass comes off, down to what two merges and a page take.
 */
const MAX_PULL_STATEMENTS = 600;
const MIN_PULL_STATEMENTS = 130;
const STATEMENTS_A_LOOK = 15;
const STATEMENTS_A_VERDICT = 20;
const MAX_PRUNED_JOBS = 1_000;

/**
 * The part of the cron's pass that follows MLflow: what was changed there comes here, and summaries go there.
 * @param report says where the last pull stopped
 * @param looked how many trials this pass has looked at by themselves, to confirm or to find doubles
 */
export async function follow(deps: Deps, report: PassReport, looked: number): Promise<void> {
  report.pokedJobs = await pokeDueJobs(deps);
  report.summarizedModelRuns = await summarizeModelRuns(deps);
  await pruneJobs(deps.db, deps.now(), MAX_PRUNED_JOBS);
  report.prunedHistoryPages = await pruneHistory(deps);
  if (!deps.config.enabled || report.probe === "open") return;
  report.watchedExperiments = await pullWatched(deps);
  const spent = STATEMENTS_A_LOOK * looked + STATEMENTS_A_VERDICT * report.retiredTrials;
  const pulled = await pullRunning(deps, {
    afterId: report.nextPullId,
    maxRuns: MAX_PULLED_RUNS,
    maxMs: MAX_PULL_MS,
    maxStatements: Math.max(MIN_PULL_STATEMENTS, MAX_PULL_STATEMENTS - spent),
  });
  report.pulledRuns = pulled.looked_at;
  report.changedRuns = pulled.changed;
  report.mergedRuns = pulled.merged;
  report.mergeConflicts = pulled.conflicts;
  report.unblockedTrials = pulled.unblocked;
  report.nextPullId = pulled.next_id;
}
