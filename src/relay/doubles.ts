import { and, asc, isNull, lte } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Run } from "../mlflow/types.ts";
import { claim } from "../store/leases.ts";
import { streams } from "../store/schema.ts";
import type { Deps } from "./deps.ts";
import { settleDoubt } from "./fence.ts";
import { letGo } from "./let-go.ts";
import { findByNonce, NONCE_TAG } from "./run.ts";
import { leaseMs, Turn } from "./turn.ts";

/** The cron's pass has a thousand statements for everything. */
const MAX_CHECKED = 20;

/**
 * Looks once more for a second run of trials whose create call went unanswered and was made again. The linked run
 * stays; only an empty run that carries our own nonce is ever deleted.
 */
export async function deleteDoubles(deps: Deps): Promise<{ checked: number; deleted: number }> {
  const due = await drizzle(deps.db)
    .select({ id: streams.id })
    .from(streams)
    .where(and(lte(streams.recheckAt, deps.now()), isNull(streams.createSentAt)))
    .orderBy(asc(streams.recheckAt))
    .limit(MAX_CHECKED);
  let deleted = 0;
  for (const { id } of due) {
    const { mlflow, maxConcurrentCalls } = deps.config;
    const claimed = await claim(deps.db, id, leaseMs(mlflow.timeoutMs), maxConcurrentCalls);
    if (claimed.kind !== "claimed") continue;
    const turn = new Turn(deps, claimed.lease, claimed.stream, false);
    const settled = await settleDoubles(turn);
    deleted += settled ?? 0;
    await letGo(deps, claimed.lease, { ...turn.fence, ...(settled === null ? {} : { recheckAt: null }) });
  }
  return { checked: due.length, deleted };
}

/** How many doubles of this stream were deleted; null when MLflow could not be asked. */
async function settleDoubles(turn: Turn): Promise<number | null> {
  const { stream, deps } = turn;
  if (!(await settleDoubt(turn)).ok) return null;
  if (stream.mlflowExperimentId === null) return 0;
  const runs = await findByNonce(turn, stream.mlflowExperimentId);
  if (!runs.ok) return null;
  let deleted = 0;
  for (const run of runs.value) {
    if (run.info.runId === stream.mlflowRunId || run.info.lifecycleStage === "deleted" || !isEmpty(run))
      continue;
    const gone = await turn.write({ call: "runs/delete" }, (mlflow) => mlflow.deleteRun(run.info.runId));
    if (!gone.ok) return null;
    deps.log.warn("a second run of one trial was deleted", { trial_id: stream.trialId, run: run.info.runId });
    deleted++;
  }
  return deleted;
}

function isEmpty({ data }: Run): boolean {
  const ours = data.tags.some((tag) => tag.key === NONCE_TAG);
  return ours && data.metrics.length === 0 && data.params.length === 0;
}
