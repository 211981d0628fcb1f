import type { PassReport } from "../store/passes.ts";
import type { Deps } from "./deps.ts";
import { pullRunning } from "./pull-running.ts";

/** What one pass looks at; the next one goes on where it stopped. */
const MAX_PULLED_RUNS = 5_000;
const MAX_PULL_MS = 60_000;

/**
 * The part of the cron's pass that follows MLflow: what was changed there comes here.
 * @param report says where the last pull stopped
 */
export async function follow(deps: Deps, report: PassReport): Promise<void> {
  const pulled = await pullRunning(deps, {
    afterId: report.nextPullId,
    maxRuns: MAX_PULLED_RUNS,
    maxMs: MAX_PULL_MS,
  });
  report.pulledRuns = pulled.looked_at;
  report.changedRuns = pulled.changed;
  report.mergedRuns = pulled.merged;
  report.mergeConflicts = pulled.conflicts;
  report.unblockedTrials = pulled.unblocked;
  report.nextPullId = pulled.next_id;
}
