import { drizzle } from "drizzle-orm/d1";
import type { Run } from "../mlflow/types.ts";
import type { SentState } from "../store/columns.ts";
import { repeatable } from "../store/counted.ts";
import { mlflowRuns } from "../store/schema.ts";
import { landingMs, proceed, type Step, type Turn } from "./turn.ts";

/** Writes the run down as the stream's own. */
export async function link(turn: Turn, run: Run, runName: string, adopted: boolean): Promise<Step> {
  const { info } = run;
  const sent: SentState = {
    status: info.status,
    endTime: info.endTime,
    runName,
    statusTag: null,
    lostContactAt: null,
  };
  const linked = await turn.update({
    mlflowRunId: info.runId,
    mlflowExperimentId: info.experimentId,
    createSentAt: null,
    recheckAt: adopted ? null : turn.deps.now() + landingMs(turn.deps.config.mlflow.timeoutMs),
    adopted,
    sentState: JSON.stringify(sent),
  });
  if (!linked) return turn.stop(null);
  const row = {
    mlflowExperimentId: info.experimentId,
    streamId: turn.stream.id,
    runName,
    status: info.status,
    startTime: info.startTime,
    endTime: info.endTime,
    lifecycleStage: info.lifecycleStage,
    goneAt: null,
    artifactUri: info.artifactUri,
    syncedAt: turn.deps.now(),
  };
  await drizzle(repeatable(turn.deps.db))
    .insert(mlflowRuns)
    .values({ mlflowRunId: info.runId, ...row })
    .onConflictDoUpdate({ target: mlflowRuns.mlflowRunId, set: row });
  return proceed;
}
