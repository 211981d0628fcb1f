import { type Core, textOf } from "../../domain/core.ts";
import { MODEL_RUN_TAG, PARENT_TAG } from "../../mlflow/tags.ts";
import { trialsInExperiment } from "../../store/delivery/parents.ts";
import { readHome } from "../../store/turn/places.ts";
import { ingest } from "../intake/ingest.ts";
import { relayEvent } from "../intake/own-event.ts";
import { stop } from "../stream/stop.ts";
import { RETRY_SOON_MS, type Step, type Turn, waitFree } from "../stream/turn.ts";
import { askForExperiment } from "./experiment.ts";
import { ensureRun } from "./run.ts";
import { common, graceLeft, identity } from "./wanted.ts";

/** The model run as a parent run; false where it has none and model runs are not to be runs, or this one is a stub. */
export async function modelRun(turn: Turn, core: Core): Promise<Step<boolean>> {
  // One that has its run goes on in it, whatever is set by now.
  if (turn.stream.mlflowRunId !== null) return nested(turn);
  // Nothing of it belongs in MLflow: it is delivered as soon as it is folded.
  if (!turn.deps.config.parentRuns || !core.announced) return { ok: true, value: false };
  const grace = graceLeft(turn, core.started);
  if (grace) return grace;
  const { deps, stream } = turn;
  const modelRunId = stream.modelRunId ?? "";
  const experimentName = textOf(core, "experiment_name") ?? deps.config.defaultExperiment;
  const { foundRunId, experimentId } = await readHome(deps.db, stream.id, experimentName);
  const made = await ensureRun(turn, {
    ...common(turn, core, modelRunId),
    experimentName,
    experimentId: async () =>
      experimentId === null ? askForExperiment(turn, experimentName) : { ok: true, value: experimentId },
    requestedRunId: null,
    foundRunId,
    tags: [...identity(turn, core), { key: MODEL_RUN_TAG, value: modelRunId }],
  });
  return made.ok ? nested(turn) : made;
}

/**
 * Nests the trials that have runs already under a parent run that was made after them, such as in place of a deleted
 * one: by their journals, so that it is delivered like everything else of theirs. The link has noted that there are any,
 * until they are told.
 */
async function nested(turn: Turn): Promise<Step<true>> {
  const { deps, stream } = turn;
  const { modelRunId, mlflowExperimentId, mlflowRunId, createSentAt } = stream;
  if (createSentAt === null || modelRunId === null || mlflowExperimentId === null || mlflowRunId === null)
    return { ok: true, value: true };
  const id = `relay:parent:${mlflowRunId}`;
  const now = deps.now();
  const trials = await trialsInExperiment(deps.db, modelRunId, mlflowExperimentId);
  const said = { type: "relay.parent" as const, id, facts: { tags: { [PARENT_TAG]: mlflowRunId } } };
  const events = trials.map(({ key, trialId }) =>
    relayEvent({ key, kind: "trial", modelRunId, trialId }, { ...said, acceptedAt: now }),
  );
  const ingested = await ingest(deps, events);
  if (ingested.kept === "nowhere" || ingested.kept === "full")
    return waitFree(RETRY_SOON_MS, "the journal did not take where trials are nested");
  return (await turn.update({ createSentAt: null })) ? { ok: true, value: true } : stop(turn, null);
}
