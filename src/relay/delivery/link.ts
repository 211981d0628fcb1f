import type { Run } from "../../mlflow/types.ts";
import { mirrorLink } from "../../store/delivery/own-runs.ts";
import { nestsSince } from "../../store/delivery/parents.ts";
import type { SentState } from "../../store/stream/columns.ts";
import { landingMs } from "../stream/held-stream.ts";
import { stop } from "../stream/stop.ts";
import { proceed, type Step, type Turn } from "../stream/turn.ts";

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
  const { deps, lease } = turn;
  const linked = await turn.update(
    {
      mlflowRunId: info.runId,
      mlflowExperimentId: info.experimentId,
      createSentAt: nestsSince(info.experimentId, deps.now()),
      recheckAt: adopted ? null : deps.now() + landingMs(deps.config.mlflow.timeoutMs),
      adopted,
      sentState: JSON.stringify(sent),
    },
    [mirrorLink(deps.db, lease, info, runName, deps.now())],
  );
  return linked ? proceed : stop(turn, null);
}
