import { PARENT_TAG } from "../../mlflow/tags.ts";
import { trialsInExperiment } from "../../store/delivery/parents.ts";
import { ingest } from "../intake/ingest.ts";
import { relayEvent } from "../intake/own-event.ts";
import type { Turn } from "../stream/turn.ts";

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
  const said = { type: "relay.parent" as const, id, facts: { tags: { [PARENT_TAG]: parentRunId } } };
  const events = trials.map(({ key, trialId }) =>
    relayEvent({ key, kind: "trial", modelRunId, trialId }, { ...said, acceptedAt: now }),
  );
  if (events.length > 0) await ingest(deps, events);
}
