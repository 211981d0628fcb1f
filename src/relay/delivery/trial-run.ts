import { type Core, textOf } from "../../domain/core.ts";
import { MODEL_RUN_TAG, PARENT_TAG, TRIAL_TAG } from "../../mlflow/tags.ts";
import { isForgotten } from "../../store/delivery/blocked.ts";
import { isCalledSo } from "../../store/mirror/experiments.ts";
import { type Above, readAbove } from "../../store/turn/places.ts";
import type { InHand } from "../stream/in-hand.ts";
import type { Step, Turn } from "../stream/turn.ts";
import { ensureExperiment, ensureKnownExperiment } from "./experiment.ts";
import { ensureParent, type Home, parentOf } from "./parent.ts";
import { ensureRun } from "./run.ts";
import { common, graceLeft, identity, type RunWanted } from "./wanted.ts";

/** How long the run of its model run is waited for, that another turn of this invocation has in hand. */
const PARENT_RUN_MS = 2_000;

/** The trial's run, nested under its model run's where that was announced. */
export async function trialRun(
  turn: Turn,
  core: Core,
  above: Above | null,
  inHand: InHand,
): Promise<Step<boolean>> {
  if (turn.stream.mlflowRunId !== null) return { ok: true, value: true };
  const { deps, stream } = turn;
  const trialId = stream.trialId ?? "";
  const found = await parentOf(turn, await aboveNow(turn, above, inHand));
  if (!found.ok) return found;
  const { parent, foundRunId } = found.value;
  const grace = graceLeft(turn, core.started && parent?.core?.started !== false);
  if (grace) return grace;
  let home: Home | null = null;
  if (parent?.core?.announced && deps.config.parentRuns && !isForgotten(parent.stream)) {
    const made = await ensureParent(turn, parent, parent.core);
    if (!made.ok) return made;
    home = made.value;
  }
  const own = textOf(core, "experiment_name");
  const made = await ensureRun(turn, {
    ...common(turn, core, trialId),
    ...(own === null && home?.experiment
      ? homeIn(turn, home.experiment)
      : byName(turn, own ?? parent?.experimentName ?? deps.config.defaultExperiment)),
    requestedRunId: textOf(core, "mlflow_run_id"),
    foundRunId,
    tags: [
      ...identity(turn, core),
      { key: TRIAL_TAG, value: trialId },
      ...(stream.modelRunId === null ? [] : [{ key: MODEL_RUN_TAG, value: stream.modelRunId }]),
      ...(home === null ? [] : [{ key: PARENT_TAG, value: home.runId }]),
    ],
  });
  return made.ok ? { ok: true, value: true } : made;
}

/** What the trial is to be under; asked again where it was not read, or its parent's run was waited for since. */
async function aboveNow({ deps, stream }: Turn, above: Above | null, inHand: InHand): Promise<Above> {
  const parent = above?.parent?.stream;
  const isAwaited = parent !== undefined && parent.mlflowRunId === null && deps.config.parentRuns;
  const isOld = above === null || (isAwaited && (await inHand.awaited(parent.id, PARENT_RUN_MS)));
  return isOld ? readAbove(deps.db, stream.id) : above;
}

type Place = Pick<RunWanted, "experimentName" | "experimentId">;

function byName(turn: Turn, experimentName: string): Place {
  return { experimentName, experimentId: () => ensureExperiment(turn, experimentName) };
}

/** Where the parent's run is: its trials go there too, though the experiment may have another name by now. */
function homeIn(turn: Turn, { name, id, isSure }: NonNullable<Home["experiment"]>): Place {
  const experimentId = async (): Promise<Step<string>> => {
    if (isSure) return { ok: true, value: id };
    const known = await ensureKnownExperiment(turn, id);
    if (!known.ok) return known;
    // The id may be another experiment's now.
    const isSame = known.value !== null && (await isCalledSo(turn.deps.db, id, name));
    return isSame ? { ok: true, value: id } : ensureExperiment(turn, name);
  };
  return { experimentName: name, experimentId };
}
