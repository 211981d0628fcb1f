import type { Facts } from "../domain/types.ts";
import { RUN_NAME_TAG } from "../mlflow/tags.ts";
import type { Deps } from "../relay/deps.ts";
import { gatewayEvent } from "./event.ts";
import { type How, keepOrRefuse } from "./keep.ts";
import { ownModelIds } from "./models.ts";
import { inPieces, nameFacts } from "./pieces.ts";
import { Refusal } from "./refusal.ts";
import type { Metric } from "./requests/logging.ts";
import { runForWrite, toRun } from "./run-for-write.ts";
import { showRun } from "./shown-run.ts";

/** What MLflow's clients log: one request, one event. Points, parameters and tags tell a repeat, as in MLflow. */

type Pair = { key: string; value: string };

export type Batch = {
  runId: string;
  metrics: readonly Metric[];
  params: readonly Pair[];
  tags: readonly Pair[];
};

/** @throws Refusal as MLflow would, all or nothing */
export async function logBatch(deps: Deps, { runId, metrics, params, tags }: Batch): Promise<void> {
  const [first, ...others] = inPieces([...params.map(paramFacts), ...tags.map(tagFacts)]);
  const points = metrics.map(({ key, value, timestamp, step }) => ({ key, value, timestamp, step }));
  const models = await modelsOf(deps, metrics);
  await toRun(deps, runId, async (run) => {
    const event = gatewayEvent(deps, run, "mlflow.log", first ?? null, points);
    const more = others.map((facts) => gatewayEvent(deps, run, "mlflow.log", facts));
    await keepOrRefuse(deps, [event, ...more], { runId: run.runId, ...models });
  });
}

/** The points that are a model's as well; a dataset is kept with these only, as in MLflow. */
async function modelsOf(deps: Deps, metrics: readonly Metric[]): Promise<Pick<How, "models">> {
  const ids = [...new Set(metrics.flatMap(({ model }) => model?.modelId ?? []))];
  if (ids.length === 0) return {};
  const firstOf = await ownModelIds(deps, ids);
  const first = new Map(await Promise.all(ids.map(async (id) => [id, await firstOf(id)] as const)));
  const points = metrics.flatMap(({ model, ...point }) => {
    const modelId = model && first.get(model.modelId);
    return model === undefined || modelId === undefined ? [] : [{ ...point, ...model, modelId }];
  });
  return { models: { ties: [], points } };
}

export async function logMetric(deps: Deps, { runId, ...metric }: Metric & { runId: string }): Promise<void> {
  await logBatch(deps, { runId, metrics: [metric], params: [], tags: [] });
}

export async function logParameter(deps: Deps, { runId, ...param }: Pair & { runId: string }): Promise<void> {
  await toRun(deps, runId, async (run) => {
    const event = gatewayEvent(deps, run, "mlflow.log", paramFacts(param));
    await keepOrRefuse(deps, [event], { runId: run.runId, single: true });
  });
}

export async function setTag(deps: Deps, { runId, ...tag }: Pair & { runId: string }): Promise<void> {
  await toRun(deps, runId, async (run) => {
    const event = gatewayEvent(deps, run, "mlflow.tag", tagFacts(tag));
    await keepOrRefuse(deps, [event], { runId: run.runId });
  });
}

/** @throws Refusal RESOURCE_DOES_NOT_EXIST where the run has no such tag */
export async function deleteTag(deps: Deps, { runId, key }: { runId: string; key: string }): Promise<void> {
  const run = await runForWrite(deps, runId);
  const { tags } = await showRun(deps, run);
  if (run.lifecycle === "active" && !tags.some((tag) => tag.key === key))
    throw new Refusal("RESOURCE_DOES_NOT_EXIST", `No tag with name: ${key} in run with id ${run.runId}`);
  await keepOrRefuse(deps, [gatewayEvent(deps, run, "mlflow.tag", { untags: [key] })], { runId: run.runId });
}

function paramFacts({ key, value }: Pair): Facts {
  return { params: { [key]: value } };
}

function tagFacts({ key, value }: Pair): Facts {
  return key === RUN_NAME_TAG ? nameFacts(value) : { tags: { [key]: value } };
}
