import type { PassReport } from "../../answers/ops.ts";
import { errorText } from "../../log.ts";
import { isOutOfStatements } from "../../store/database/budget.ts";
import { lock, renewLock, unlock } from "../../store/ops/locks.ts";
import { NOTHING_DONE, storePass } from "../../store/ops/passes.ts";
import { whileRenewed } from "../../waiting.ts";
import { type Deps, flushTally, onShare } from "../deps.ts";
import { CRON_STEPS, type CronStep } from "./steps.ts";

const LOCK = "reconcile";
/** A lock that a dead pass left behind is gone before the next pass; one that lives renews it, however long it takes. */
const LOCK_MS = 4 * 60_000;

/**
 * The cron's pass: probes an open breaker, pokes every trial that is behind and not already under way, looks for
 * creates that went unanswered, prunes, and follows what was changed in MLflow. One at a time, bounded, and what it leaves the next one finds.
 * @returns the report, which is stored as well; null when another pass is running
 */
export async function reconcile(deps: Deps): Promise<PassReport | null> {
  const token = await lock(deps.db, LOCK, LOCK_MS);
  if (token === null) return null;
  try {
    return await whileRenewed(
      LOCK_MS / 4,
      () => renewLock(deps.db, LOCK, token, LOCK_MS),
      () => pass(deps),
    );
  } finally {
    await unlock(deps.db, LOCK, token);
  }
}

async function pass(deps: Deps): Promise<PassReport> {
  const startedAt = deps.now();
  let report = NOTHING_DONE;
  const steps = CRON_STEPS.map((step) => ({ ...step, share: deps.budget.share(step.statements) }));
  for (const { share, ...step } of steps) {
    if (step.when(deps, report))
      report = { ...report, ...(await toldBy(step, onShare(deps, share), report, startedAt)) };
    share.close();
  }
  deps.tally.add("relay_cron_passes_total");
  await flushTally(deps);
  await storePass(deps.db, startedAt, deps.now(), report);
  deps.log.info("reconciled", report);
  return report;
}

/** What a step tells. Each goes by itself: what goes wrong in one is no reason to leave out the others. */
async function toldBy(
  { name, run }: CronStep,
  deps: Deps,
  report: PassReport,
  startedAt: number,
): Promise<Partial<PassReport>> {
  try {
    return await run(deps, report, startedAt);
  } catch (error) {
    if (isOutOfStatements(error)) {
      deps.log.info("a part of the cron's pass goes on in the next", { part: name });
      return {};
    }
    const said = `${name}: ${errorText(error)}`;
    deps.log.error("a part of the cron's pass failed; the next pass goes on", {
      part: name,
      error: errorText(error),
    });
    return { error: report.error === null ? said : `${report.error}; ${said}` };
  }
}
