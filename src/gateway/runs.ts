import { toPairs, toRecord } from "../domain/pairs.ts";
import { TRIAL_STATUS } from "../domain/run-register.ts";
import type { Facts } from "../domain/types.ts";
import { canonicalJson } from "../domain/values.ts";
import type { LifecycleStage, RunStatus } from "../domain/words.ts";
import { RUN_NAME_TAG } from "../mlflow/tags.ts";
import type { Deps } from "../relay/deps.ts";
import { digest } from "../relay/intake/identify.ts";
import type { RunShown } from "./answers/run.ts";
import { gatewayEvent } from "./event.ts";
import { notActive, ownExperiment } from "./experiments.ts";
import { generatedName } from "./generated-name.ts";
import { keepOrRefuse } from "./keep.ts";
import { inPieces, nameFacts } from "./pieces.ts";
import { placeBelow } from "./place-below.ts";
import { runForWrite } from "./run-for-write.ts";
import { showRun } from "./shown-run.ts";

/** Runs for MLflow's clients. */

type Tag = { key: string; value: string };

/** What a run is made from. Times in epoch milliseconds; an empty name is none. */
export type RunToMake = {
  experimentId: string;
  userId: string;
  runName: string;
  startTime: number;
  tags: readonly Tag[];
};

/**
 * Makes a run under an id that stays. MLflow hears of it once somebody has used the id: whoever asked may never hear of
 * it, and ask again.
 */
export async function makeRun(deps: Deps, asked: RunToMake): Promise<RunShown> {
  const experiment = await ownExperiment(deps, asked.experimentId);
  if (experiment.lifecycle === "deleted") throw notActive(experiment.id);
  const runId = crypto.randomUUID().replaceAll("-", "");
  const given = toRecord(asked.tags);
  const runName = asked.runName || given[RUN_NAME_TAG] || generatedName(deps.random);
  const tags = { ...given, [RUN_NAME_TAG]: runName };
  const { userId, startTime } = asked;
  const artifactUri = placeBelow(experiment.artifactLocation, `${runId}/artifacts`);
  const owner = { key: runId, kind: "trial" as const, modelRunId: null, trialId: runId };
  const [first, ...others] = inPieces(
    Object.entries(tags).map(([key, value]) => ({ tags: { [key]: value } })),
  );
  const event = gatewayEvent(deps, owner, "mlflow.run.create", {
    announces: true,
    starts: true,
    run: { status: "RUNNING", startTime },
    fields: { run_name: runName, user: userId },
    ...first,
  });
  const more = others.map((facts) => gatewayEvent(deps, owner, "mlflow.tag", facts));
  await keepOrRefuse(deps, [event, ...more], {
    runId,
    notMade: () => notActive(experiment.id),
    create: {
      runId,
      experimentId: experiment.id,
      artifactUri,
      createdAt: deps.now(),
      lifecycle: "active",
      createHash: await digest(canonicalJson(asked)),
      touchedAt: null,
      taken: null,
    },
  });
  return {
    runId,
    experimentId: experiment.id,
    runName,
    userId,
    status: "RUNNING",
    startTime,
    endTime: null,
    artifactUri,
    lifecycleStage: "active",
    params: [],
    tags: toPairs(tags),
    metrics: [],
  };
}

/** What is told of a run's state; what is left out or empty stays as it is. */
export type RunToUpdate = { status?: RunStatus; endTime?: number; runName?: string };

/** Changes a run's state and gives it back as it is then. */
export async function updateRun(deps: Deps, runId: string, update: RunToUpdate): Promise<RunShown> {
  const run = await runForWrite(deps, runId);
  const facts = factsOf(update);
  await keepOrRefuse(deps, [gatewayEvent(deps, run, "mlflow.run.update", facts)], { runId: run.runId });
  return showRun(deps, run);
}

function factsOf({ status, endTime, runName = "" }: RunToUpdate): Facts {
  const ends = status === undefined ? null : TRIAL_STATUS[status];
  return {
    ...(status === undefined ? {} : { announces: true, resumes: true }),
    ...(ends === null ? {} : { ends }),
    ...(ends === null || endTime === undefined ? {} : { endedAt: endTime }),
    ...(status === undefined && endTime === undefined
      ? {}
      : {
          run: { ...(status === undefined ? {} : { status }), ...(endTime === undefined ? {} : { endTime }) },
        }),
    ...nameFacts(runName),
  };
}

/** Deletes or restores a run. One that is so already is told again: MLflow's own change of it may not be known here yet. */
export async function setRunLifecycle(deps: Deps, runId: string, lifecycle: LifecycleStage): Promise<void> {
  const run = await runForWrite(deps, runId);
  const event = gatewayEvent(deps, run, "mlflow.run.lifecycle", { lifecycle });
  await keepOrRefuse(deps, [event], { runId: run.runId, lifecycle });
}
