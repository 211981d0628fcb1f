import type { JournalEvent } from "../domain/types.ts";
import { trialsInExperiment } from "../store/parents.ts";
import { ingest } from "./ingest.ts";
import type { Turn } from "./turn.ts";

/** MLflow's own tag of a nested run. */
export const PARENT_TAG = "mlflow.parentRunId";

/**
 * Nests the trials that have runs already under a parent run that was made after them, such as in place of a deleted
 * one: by their journals, so that it is delivered like everything else of theirs.
 */
export async function renest(turn: Turn, parentRunId: string): Promise<void> {
  const { deps, stream } = turn;
  const { modelRunId, mlflowExperimentId } = stream;
  if (modelRunId === null || mlflowExperimentId === null) return;
  const id = `relay:parent:${parentRunId}`;
  const now = deps.now();
  const trials = await trialsInExperiment(deps.db, modelRunId, mlflowExperimentId);
  const events = trials.map(
    ({ key, trialId }): JournalEvent => ({
      stream: { key, kind: "trial", modelRunId, trialId, parentKey: null },
      id,
      type: "relay.parent",
      hash: id,
      occurredAt: now,
      acceptedAt: now,
      correlationId: id,
      facts: { tags: { [PARENT_TAG]: parentRunId } },
      points: [],
    }),
  );
  if (events.length > 0) await ingest(deps, events);
}
