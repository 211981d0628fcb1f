import type { TrialCounts } from "../../answers/model-runs.ts";
import { behind } from "../stream/warm.ts";

type Counted = TrialCounts["by_status"] & { withNorm: number; withoutNorm: number };
type Late = Omit<TrialCounts["by_sync_state"], "synced">;

const NO_TRIALS: Counted = {
  running: 0,
  succeeded: 0,
  failed: 0,
  skipped: 0,
  cancelled: 0,
  withNorm: 0,
  withoutNorm: 0,
};

/** The trials of a model run, counted in each way that a list can be filtered, at a price that those that are over do not add to. */
export async function countTrials(db: D1Database, modelRunId: string): Promise<TrialCounts> {
  const [counted, late] = await Promise.all([
    db.prepare(COUNTED).bind(modelRunId).first<Counted>(),
    db.prepare(LATE).bind(modelRunId).first<Late>(),
  ]);
  const { withNorm, withoutNorm, ...byStatus } = counted ?? NO_TRIALS;
  const { pending, waiting, blocked } = late ?? { pending: 0, waiting: 0, blocked: 0 };
  const total = Object.values(byStatus).reduce((sum, count) => sum + count, 0);
  return {
    total,
    by_status: byStatus,
    by_sync_state: { pending, waiting, blocked, synced: total - pending - waiting - blocked },
    by_spectral_norm: { true: withNorm, false: withoutNorm, unknown: total - withNorm - withoutNorm },
  };
}

const COUNTED = `
  select running, succeeded, failed, skipped, cancelled, with_spectral_norm as withNorm,
    without_spectral_norm as withoutNorm
  from trial_counts where model_run_id = ?1`;

/** Of those that lists have, which is once they are folded. */
const ITS_OWN = "+model_run_id = ?1 and exists (select 1 from trials where trials.id = streams.id)";

const LATE = `
  select count(*) - count(waiting_for) as pending, count(waiting_for) as waiting,
    (select count(*) from streams where blocked_kind is not null and ${ITS_OWN}) as blocked
  from streams where ${behind()} and blocked_kind is null and ${ITS_OWN}`;
