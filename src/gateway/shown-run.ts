import * as z from "zod";
import { endOf, fieldOf } from "../domain/fold.ts";
import { MLFLOW_STATUS } from "../domain/run-register.ts";
import { statusOf } from "../domain/status.ts";
import { fromWire } from "../domain/values.ts";
import { MODEL_RUN_TAG, PARENT_TAG, TRIAL_TAG } from "../mlflow/tags.ts";
import type { Deps } from "../relay/deps.ts";
import { readInputs } from "../store/gateway/inputs.ts";
import { firstIdOf, type KnownRun, pulledOf } from "../store/gateway/runs.ts";
import { readState } from "../store/views/state.ts";
import { compareByRecency } from "./answers/history.ts";
import type { Latest, RunShown } from "./answers/run.ts";

const input = z.record(z.string(), z.unknown());
const NO_EXPERIMENT = "0";

/** A run with everything that was said of it, folded or not, and what MLflow was seen to have beside it. */
export async function showRun(deps: Pick<Deps, "db">, run: KnownRun): Promise<RunShown> {
  const [{ state }, pulled, inputs] = await Promise.all([
    readState(deps.db, { id: run.streamId, kind: run.kind }),
    run.mlflowRunId === null ? null : pulledOf(deps.db, run.mlflowRunId),
    run.isGateways ? readInputs(deps.db, run.streamId) : [],
  ]);
  const { core } = state;
  const text = (name: string) => {
    const value = fieldOf(core, name);
    return typeof value === "string" ? value : null;
  };
  const experimentId = run.experimentId ?? NO_EXPERIMENT;
  const runName = text("run_name") ?? run.trialId ?? run.modelRunId ?? run.runId;
  const own = new Map(
    [...state.tags].flatMap(([key, { value }]) => (value === null ? [] : [[key, value] as const])),
  );
  const tags = run.isGateways
    ? own
    : new Map([...(await systemTags(deps, run, runName, pulled?.tags ?? {})), ...own]);
  const metrics = [...state.metrics].map(([key, { last, lastStep, lastTimestamp }]) => ({
    key,
    value: last,
    timestamp: lastTimestamp,
    step: lastStep ?? core.maxStep ?? 0,
  }));
  const elsewhere = Object.entries(pulled?.metrics ?? {}).map(([key, { value, step, timestamp }]) => ({
    key,
    value: fromWire(value),
    timestamp,
    step: Number(step),
  }));
  return {
    runId: run.runId,
    experimentId,
    runName,
    userId: text("user") ?? (run.isGateways ? "" : "trial-relay"),
    status: core.run?.status ?? MLFLOW_STATUS[statusOf(core.lifecycle)],
    startTime: core.run?.startTime ?? core.startedAt ?? run.createdAt,
    endTime: core.run ? core.run.endTime : endOf(core),
    artifactUri: run.artifactUri ?? `mlflow-artifacts:/${experimentId}/${run.runId}/artifacts`,
    lifecycleStage: run.lifecycle,
    params: [...state.params].map(([key, { value }]) => ({ key, value })),
    tags: [...tags].map(([key, value]) => ({ key, value })),
    metrics: [...latestOf([...metrics, ...elsewhere]).values()],
    inputs: inputs.map((body) => input.parse(JSON.parse(body))),
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
    ["mlflow.runName", runName],
    ...(trialId === null ? [] : [[TRIAL_TAG, trialId] satisfies [string, string]]),
    ...(modelRunId === null ? [] : [[MODEL_RUN_TAG, modelRunId] satisfies [string, string]]),
    ...(parent === undefined ? [] : [[PARENT_TAG, await firstIdOf(db, parent)] satisfies [string, string]]),
  ];
}

/** By MLflow's rule: the greatest by step, then time, then value, where NaN counts as 0. */
function latestOf(points: readonly Latest[]): Map<string, Latest> {
  const latest = new Map<string, Latest>();
  for (const point of points) {
    const known = latest.get(point.key);
    if (!known || compareByRecency(point, known) > 0) latest.set(point.key, point);
  }
  return latest;
}
