import { toRecord } from "../domain/pairs.ts";
import { canonicalJson } from "../domain/values.ts";
import type { ModelStatus } from "../domain/words.ts";
import type { LoggedModel, ShownModel } from "../mlflow/types.ts";
import type { Deps } from "../relay/deps.ts";
import { digest } from "../relay/intake/identify.ts";
import { modelMessage } from "../relay/messages.ts";
import { tryEnqueue } from "../relay/queues.ts";
import { partial } from "../routes/door/partial.ts";
import { experimentById } from "../store/gateway/experiments.ts";
import { pointsOf } from "../store/gateway/model-ties.ts";
import {
  adoptModel,
  changeModel,
  createModel,
  firstModelIds,
  type GatewayModel,
  type ModelChange,
  modelById,
  touchModel,
} from "../store/gateway/models.ts";
import { firstIdOf, runById } from "../store/gateway/runs.ts";
import { modelAnswer } from "./answers/model.ts";
import { notActive, ownExperiment } from "./experiments.ts";
import { generatedName } from "./generated-name.ts";
import { touch } from "./get-run.ts";
import { withFirstIds } from "./ids.ts";
import { unavailable } from "./keep.ts";
import { type Found, lookUpModel, lookUpShownModel } from "./lookup.ts";
import { withPointsThere } from "./model-points.ts";
import { swapIn } from "./passing/swap.ts";
import { placeBelow } from "./place-below.ts";
import { Refusal } from "./refusal.ts";
import type { CreateModel } from "./requests/models.ts";

/** Logged models for MLflow's clients: kept here at once, brought to MLflow by themselves. */

/** Makes a model under an id that stays. MLflow hears of it once somebody has used the id, as of a run. */
export async function makeModel(deps: Deps, asked: CreateModel): Promise<object> {
  const experiment = await ownExperiment(deps, asked.experimentId);
  if (experiment.lifecycle === "deleted") throw notActive(experiment.id);
  const id = `m-${crypto.randomUUID().replaceAll("-", "")}`;
  const now = deps.now();
  const model = {
    id,
    artifactUri: placeBelow(experiment.artifactLocation, `models/${id}/artifacts`),
    experimentId: experiment.id,
    sourceRunId: asked.sourceRunId === "" ? null : await sourceOf(deps, asked.sourceRunId),
    name: asked.name || generatedName(deps.random),
    modelType: asked.modelType,
    status: "LOGGED_MODEL_PENDING" as const,
    lifecycle: "active" as const,
    tags: toRecord(asked.tags),
    params: toRecord(asked.params),
    createdTime: now,
    updatedTime: now,
  };
  const createHash = await digest(canonicalJson(asked));
  if (!(await createModel(deps.db, { ...model, createHash }))) throw notActive(experiment.id);
  return modelAnswer(model, []);
}

/** The first id of the run that makes a model: who names it has heard of it. MLflow does not ask whether there is one. */
async function sourceOf(deps: Deps, runId: string): Promise<string> {
  const run = await runById(deps.db, runId);
  if (run?.isGateways && run.touchedAt === null) await touch(deps, run.streamId);
  return run?.runId ?? runId;
}

/**
 * The answer to a question for a model, by the relay's id or MLflow's.
 * @throws Refusal RESOURCE_DOES_NOT_EXIST; TEMPORARILY_UNAVAILABLE where only MLflow could know it, and is away
 */
export async function getModel(
  deps: Deps,
  { id, allowDeleted }: { id: string; allowDeleted: boolean },
): Promise<object> {
  const known = await modelById(deps.db, id);
  const there =
    known && !isMoreThere(known) ? NOT_ASKED : await shownInMlflow(deps, known?.mlflowId ?? id, allowDeleted);
  if (there.kind === "found" && (!known || isTheirs(known))) return { model: there.value };
  if (!known) throw notFound(id, there);
  if (known.lifecycle === "deleted" && !allowDeleted) throw noSuchModel(id);
  if (known.touchedAt === null) await useModel(deps, known.id);
  const pointsThere = there.kind === "found" ? there.value.data.metrics : [];
  const { points, whole } = await pointsOf(deps.db, [known.id]);
  const answer = modelAnswer(known, withPointsThere(points, pointsThere));
  return there.kind === "away" || whole === 0 ? partial(answer) : answer;
}

const NOT_ASKED: Found<ShownModel> = { kind: "none" };

/** Whether MLflow has points of it that are not here: it had it first, or they were pruned. */
function isMoreThere({ id, mlflowId, isPruned }: GatewayModel): boolean {
  return id === mlflowId || isPruned;
}

/** Whether MLflow, which had it first, has all of it. */
function isTheirs({ id, mlflowId, isBehind }: GatewayModel): boolean {
  return id === mlflowId && !isBehind;
}

/** A model as MLflow shows it, under the ids that were given first. */
async function shownInMlflow(deps: Deps, id: string, allowDeleted: boolean): Promise<Found<ShownModel>> {
  if (!MODEL_ID.test(id)) return { kind: "none" };
  const found = await lookUpShownModel(deps, id, allowDeleted);
  if (found.kind !== "found") return found;
  return { kind: "found", value: await withFirstIds(deps, (swap) => swapIn(found.value, swap)) };
}

function notFound(id: string, { kind }: Found<unknown>): Refusal {
  return kind === "none"
    ? noSuchModel(id)
    : unavailable(`Logged model ${id} is not known here, and MLflow cannot be asked for it just now.`);
}

/** Its maker has heard of it, so that MLflow is to hear of it as well. */
export async function useModel(deps: Deps, id: string): Promise<void> {
  if (await touchModel(deps.db, id, deps.now())) await tryEnqueue(deps, modelMessage(id));
}

/** A model of ours, so that it can be written to: one that MLflow had first is taken up. */
export async function ownModel(deps: Deps, id: string): Promise<GatewayModel> {
  const known = await modelById(deps.db, id);
  if (known) return known;
  const found = await foundInMlflow(deps, id);
  await adoptModel(deps.db, found, deps.now());
  const adopted = await modelById(deps.db, id);
  if (!adopted) throw notFound(id, { kind: "away" });
  return adopted;
}

/** The first ids of models of ours, asked for one by one: those that are known here are read together. */
export async function ownModelIds(
  deps: Deps,
  asked: readonly string[],
): Promise<(id: string) => Promise<string>> {
  const known = asked.length === 0 ? null : await firstModelIds(deps.db, asked);
  return async (id) => known?.get(id) ?? (await ownModel(deps, id)).id;
}

type Theirs = Parameters<typeof adoptModel>[1];

/** As MLflow makes them: no other is asked for, since it stands in an address there. */
const MODEL_ID = /^m-[0-9a-f]{32}$/;

async function foundInMlflow(deps: Deps, id: string): Promise<Theirs> {
  if (!MODEL_ID.test(id)) throw noSuchModel(id);
  const found = await lookUpModel(deps, id);
  if (found.kind !== "found") throw notFound(id, found);
  return seenInMlflow(deps, found.value);
}

/** A model as MLflow has it, under the ids that were given first. */
async function seenInMlflow({ db }: Pick<Deps, "db">, model: LoggedModel): Promise<Theirs> {
  const { modelId, experimentId, sourceRunId, artifactUri, creationTime, lastUpdateTime, ...rest } = model;
  return {
    ...rest,
    id: modelId,
    mlflowId: modelId,
    artifactUri,
    mlflowRoot: artifactUri,
    experimentId: (await experimentById(db, experimentId))?.id ?? experimentId,
    sourceRunId: sourceRunId === null ? null : await firstIdOf(db, sourceRunId),
    lifecycle: "active",
    tags: toRecord(rest.tags),
    params: toRecord(rest.params),
    createdTime: creationTime,
    updatedTime: lastUpdateTime,
  };
}

/** Says how far a model is; its answer is the model then. */
export async function finalizeModel(
  deps: Deps,
  { id, status }: { id: string; status: ModelStatus },
): Promise<object> {
  await setModel(deps, id, { kind: "status", status });
  return getModel(deps, { id, allowDeleted: true });
}

/** @throws Refusal as MLflow would, where the model is not as the change needs it */
export async function setModel(deps: Deps, asked: string, change: ModelChange): Promise<void> {
  const { id, tags } = await ownModel(deps, asked);
  const isChanged = await changeModel(deps.db, id, change, deps.now());
  // A tag that it had a moment ago is gone, by this request or another.
  if (isChanged || (change.kind === "untag" && Object.hasOwn(tags, change.key))) {
    await tryEnqueue(deps, modelMessage(id));
    return;
  }
  if (change.kind === "params")
    throw new Refusal("BAD_REQUEST", `A parameter of logged model ${id} has another value already.`);
  if (change.kind === "untag")
    throw new Refusal(
      "RESOURCE_DOES_NOT_EXIST",
      `No tag with key '${change.key}' found for model with ID '${id}'.`,
    );
  throw noSuchModel(asked);
}

export function noSuchModel(id: string): Refusal {
  return new Refusal("RESOURCE_DOES_NOT_EXIST", `Logged model with ID '${id}' not found.`);
}
