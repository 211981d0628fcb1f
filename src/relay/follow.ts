import { pruneJobs } from "../store/job-records.ts";
import { lastPull, type PassReport } from "../store/passes.ts";
import type { Deps } from "./deps.ts";
import { pruneHistory } from "./history.ts";
import { pokeDueJobs } from "./jobs.ts";
import { pullRunning } from "./pull-running.ts";
import { pullWatched } from "./pull-watched.ts";
import { summarizeModelRuns } from "./summarize.ts";

/** What one pass looks at; the next one goes on where it stopped. */
const MAX_PULLED_RUNS = 5_000;
const MAX_PULL_MS = 60_000;
const MAX_PRUNED_JOBS = 1_000;

/** The part of the cron's pass that follows MLflow: what was changed there comes here, and summaries go there. */
export async function follow(deps: Deps, report: PassReport): Promise<void> {
  report.pokedJobs = await pokeDueJobs(deps);
  report.summarizedModelRuns = await summarizeModelRuns(deps);
  await pruneJobs(deps.db, deps.now(), MAX_PRUNED_JOBS);
  report.prunedHistoryPages = await pruneHistory(deps);
  if (!deps.config.enabled || report.probe === "open") return;
  report.watchedExperiments = await pullWatched(deps);
  const afterId = await lastPull(deps.db);
  const pulled = await pullRunning(deps, { afterId, maxRuns: MAX_PULLED_RUNS, maxMs: MAX_PULL_MS });
  report.pulledRuns = pulled.looked_at;
  report.changedRuns = pulled.changed;
  report.mergedRuns = pulled.merged;
  report.mergeConflicts = pulled.conflicts;
  report.unblockedTrials = pulled.unblocked;
  report.nextPullId = pulled.next_id;
}
