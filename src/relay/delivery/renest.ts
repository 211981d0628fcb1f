import { PARENT_TAG } from "../../mlflow/tags.ts";
import { trialsInExperiment } from "../../store/delivery/parents.ts";
import { ingest } from "../intake/ingest.ts";
import { relayEvent } from "../intake/own-event.ts";
import { stop } from "../stream/stop.ts";
import { proceed, RETRY_SOON_MS, type Step, type Turn } from "../stream/turn.ts";

/**
 * Nests the trials that have runs already under a parent run that was made after them, such as in place of a deleted
 * one: by their journals, so that it is delivered like everything else of theirs. The link has noted that there are any,
 * until they are told.
 */
export async function renest(turn: Turn): Promise<Step> {
  const { deps, stream } = turn;
  const { modelRunId, mlflowExperimentId, mlflowRunId, createSentAt } = stream;
  if (createSentAt === null || modelRunId === null || mlflowExperimentId === null || mlflowRunId === null)
    return proceed;
  const id = `relay:parent:${mlflowRunId}`;
  const now = deps.now();
  const trials = await trialsInExperiment(deps.db, modelRunId, mlflowExperimentId);
  const said = { type: "relay.parent" as const, id, facts: { tags: { [PARENT_TAG]: mlflowRunId } } };
  const events = trials.map(({ key, trialId }) =>
    relayEvent({ key, kind: "trial", modelRunId, trialId }, { ...said, acceptedAt: now }),
  );
  const kept = await ingest(deps, events);
  if (kept.kept === "nowhere" || kept.kept === "full") {
    const error = "the journal did not take where trials are nested";
    return { ok: false, end: { kind: "wait", for: "retry", ms: RETRY_SOON_MS, error } };
  }
  return (await turn.update({ createSentAt: null })) ? proceed : stop(turn, null);
}
