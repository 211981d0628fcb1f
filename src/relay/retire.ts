import type { Report } from "../domain/report.ts";
import { pruneStream, retirable } from "../store/retention.ts";
import type { Deps } from "./deps.ts";
import { pullStream } from "./pull.ts";
import { verifyStream } from "./verify.ts";

/** Reading back is the dear part of it, and the cron's pass has a thousand statements for everything. */
const MAX_RETIRED = 20;

/**
 * Prunes the journals of trials that ended longer ago than the retention, each only after reading MLflow back has
 * confirmed that nothing of it is missing there. What is not confirmed stays, and its verdict says why.
 */
export async function retire(deps: Deps): Promise<{ trials: number; rows: number }> {
  const done = { trials: 0, rows: 0 };
  for (const streamId of await retirable(deps.db, deps.now(), deps.config.retentionMs, MAX_RETIRED)) {
    const verified = await verifyStream(deps, streamId);
    if (verified.kind === "unreachable") break;
    if (verified.kind !== "checked") continue;
    if (verified.verdict !== "confirmed") {
      // An edit made in MLflow after the end differs until it is taken over; then a later pass finds it confirmed.
      if (!isLoss(verified.report)) await pullStream(deps, streamId, null);
      continue;
    }
    done.rows += await pruneStream(deps.db, streamId, verified.seq, deps.now());
    done.trials++;
  }
  return done;
}

/** Whether MLflow lacks what nobody can take away there: then its tags and state are no edits either. */
function isLoss({ points, params }: Report): boolean {
  return points.missing + params.missing.count > 0;
}
