import * as z from "zod";
import type { Latest } from "../domain/client-run.ts";
import { type Core, endOf, textOf } from "../domain/core.ts";
import { observe } from "../domain/observations.ts";
import { MLFLOW_STATUS } from "../domain/run-register.ts";
import { statusOf } from "../domain/status.ts";
import { MODEL_RUN_TAG, PARENT_TAG, RUN_NAME_TAG, TRIAL_TAG } from "../mlflow/tags.ts";
import type { Deps } from "../relay/deps.ts";
import { ownLocation } from "../store/gateway/experiments.ts";
import { readInputs } from "../store/gateway/inputs.ts";
import { type Tie, tiesOf } from "../store/gateway/model-ties.ts";
import { firstIdOf, type KnownRun, pulledOf } from "../store/gateway/runs.ts";
import { pulledMetrics } from "../store/mirror/mirrored.ts";
import { readState } from "../store/views/state.ts";
import type { RunShown } from "./answers/run.ts";

const input = z.record(z.string(), z.unknown());
const NO_EXPERIMENT = "0";

/** A run with everything that was said of it, folded or not, and what MLflow was seen to have beside it. */
export async function showRun(deps: Pick<Deps, "db">, run: KnownRun): Promise<RunShown> {
  const [{ state }, pulled, inputs, models] = await Promise.all([
    readState(deps.db, { id: run.streamId, kind: run.kind }),
    run.mlflowRunId === null ? null : pulledOf(deps.db, run.mlflowRunId),
    run.isGateways ? readInputs(deps.db, run.streamId) : [],
    run.isGateways ? tiesOf(deps.db, run.streamId) : [],
  ]);
  const { core } = state;
  const experimentId = run.experimentId ?? NO_EXPERIMENT;
  const runName = textOf(core, "run_name") ?? run.trialId ?? run.modelRunId ?? run.runId;
  const own = new Map(
    [...state.tags].flatMap(([key, { value }]) => (value === null ? [] : [[key, value] as const])),
  );
  const tags = run.isGateways
    ? own
    : new Map([...(await systemTags(deps, run, runName, pulled?.tags ?? {})), ...own]);
  const latest = new Map<string, Latest>();
  for (const [key, { last, lastStep, lastTimestamp }] of state.metrics) {
    const step = lastStep ?? core.maxStep ?? 0;
    observe(latest, { key, value: last, timestamp: lastTimestamp, step });
  }
  for (const point of pulledMetrics(pulled)) observe(latest, point);
  return {
    runId: run.runId,
    experimentId,
    runName,
    userId: textOf(core, "user") ?? (run.isGateways ? "" : "trial-relay"),
    status: core.run?.status ?? MLFLOW_STATUS[statusOf(core.lifecycle)],
    startTime: startOf(run, core),
    endTime: core.run ? core.run.endTime : endOf(core),
    artifactUri: run.artifactUri ?? `${ownLocation(experimentId)}/${run.runId}/artifacts`,
    lifecycleStage: run.lifecycle,
    params: [...state.params].map(([key, { value }]) => ({ key, value })),
    tags: [...tags].map(([key, value]) => ({ key, value })),
    metrics: [...latest.values()],
    ...givenAndMade(
      inputs.map((body) => input.parse(JSON.parse(body))),
      models,
    ),
  };
}

/** What MLflow has of a trial's or model run's start stays so there, whatever is heard later: so it is in searches. */
function startOf({ isGateways, startInMlflow, createdAt }: KnownRun, { run, startedAt }: Core): number {
  return run?.startTime ?? (isGateways ? null : startInMlflow) ?? startedAt ?? createdAt;
}

/** A run's datasets, and the models that it was given and made. */
export function givenAndMade(datasets: readonly object[], ties: readonly Tie[]) {
  return {
    inputs: [
      ...datasets,
      ...ties.flatMap(({ kind, modelId }) => (kind === "input" ? { model_id: modelId } : [])),
    ],
    outputs: ties.flatMap(({ kind, modelId, step }) => (kind === "output" ? { modelId, step } : [])),
  };
}

/** What delivery says of a trial or model run in MLflow's own tags, as far as it is known. */
async function systemTags(
  { db }: Pick<Deps, "db">,
  { trialId, modelRunId }: KnownRun,
  runName: string,
  pulled: Readonly<Record<string, string>>,
): Promise<[string, string][]> {
  const parent = pulled[PARENT_TAG];
  return [
    ...Object.entries(pulled),
    [RUN_NAME_TAG, runName],
    ...(trialId === null ? [] : [[TRIAL_TAG, trialId] satisfies [string, string]]),
    ...(modelRunId === null ? [] : [[MODEL_RUN_TAG, modelRunId] satisfies [string, string]]),
    ...(parent === undefined ? [] : [[PARENT_TAG, await firstIdOf(db, parent)] satisfies [string, string]]),
  ];
}
