import { PARENT_TAG } from "../mlflow/tags.ts";
import type { Run } from "../mlflow/types.ts";
import type { Deps } from "../relay/deps.ts";
import { sendPokes } from "../relay/queues.ts";
import { experimentById } from "../store/gateway/experiments.ts";
import { touchRun } from "../store/gateway/keep.ts";
import { readMirroredRun } from "../store/gateway/mirrored-run.ts";
import { firstIdOf, runById } from "../store/gateway/runs.ts";
import type { RunShown } from "./answers/run.ts";
import { lookUpRun, ownRun } from "./lookup.ts";
import { noSuchRun, notKnownNow } from "./run-for-write.ts";
import { givenAndMade, showRun } from "./shown-run.ts";
import { theirInputs } from "./their-inputs.ts";

/**
 * A run by the relay's id or MLflow's, with everything that was said of it a moment ago. One that only MLflow writes to is
 * asked for there, and shown as it was last seen while MLflow is away.
 * @throws Refusal RESOURCE_DOES_NOT_EXIST; TEMPORARILY_UNAVAILABLE where only MLflow could know it and is away
 */
export async function getRun(deps: Deps, asked: string): Promise<RunShown> {
  const known = await runById(deps.db, asked);
  if (known) {
    if (known.isGateways && known.touchedAt === null && !known.isBuried) await touch(deps, known.streamId);
    return showRun(deps, known);
  }
  const found = await lookUpRun(deps, asked);
  if (found.kind === "found") {
    const own = await ownRun(deps, found.value);
    return own ? showRun(deps, own) : shown(deps, found.value);
  }
  if (found.kind === "none") throw noSuchRun(asked);
  const seen = await readMirroredRun(deps.db, asked);
  if (seen === null) throw notKnownNow(asked);
  return shown(deps, seen);
}

/** Its maker has heard of it, so that MLflow is to hear of it as well. */
export async function touch(deps: Deps, streamId: number): Promise<void> {
  // The turn that it was made with may not be over yet, and a poke that comes then would be lost on it.
  if (await touchRun(deps.db, streamId, deps.now())) await sendPokes(deps, [{ streamId, urgent: false }]);
}

/** A run as MLflow has it, under the ids that were given first. */
async function shown(deps: Deps, { info, data, ...more }: Run): Promise<RunShown> {
  const { db } = deps;
  const { datasets, ties } = await theirInputs(deps, more);
  const experimentId = (await experimentById(db, info.experimentId))?.id ?? info.experimentId;
  const tags = await Promise.all(
    data.tags.map(async ({ key, value }) => ({
      key,
      value: key === PARENT_TAG ? await firstIdOf(db, value) : value,
    })),
  );
  return {
    runId: info.runId,
    experimentId,
    runName: info.runName ?? "",
    userId: info.userId ?? "",
    status: info.status,
    startTime: info.startTime ?? 0,
    endTime: info.endTime,
    artifactUri: info.artifactUri ?? "",
    lifecycleStage: info.lifecycleStage,
    params: data.params,
    tags,
    metrics: data.metrics.map((metric) => ({ ...metric, step: Number(metric.step) })),
    ...givenAndMade(datasets, ties),
  };
}
