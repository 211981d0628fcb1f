import { toPairs, toRecord } from "../../domain/pairs.ts";
import type { Result } from "../../mlflow/failure.ts";
import { tagEquals } from "../../mlflow/filter.ts";
import { MODEL_ID_TAG } from "../../mlflow/tags.ts";
import type { LoggedModel } from "../../mlflow/types.ts";
import { touchRun } from "../../store/gateway/keep.ts";
import {
  type ClaimedModel,
  noteCreate,
  placeModel,
  type SentModel,
} from "../../store/gateway/models-behind.ts";
import type { Deps } from "../deps.ts";
import { artifactMessage, experimentMessage } from "../messages.ts";
import { enqueueAll, sendPokes, tryEnqueue } from "../queues.ts";
import { landingMs, leaseMs, MAX_START_MS } from "../stream/held-stream.ts";
import type { Part } from "./bringing.ts";

/** A model that MLflow has, under its lease. */
export type PlacedModel = ClaimedModel & { mlflowId: string; sent: SentModel };

/** A client that heard of its model uses it within so long. */
const UNTOUCHED_MS = 900_000;
/** How soon to look again for what it comes after. */
const WAIT_MS = 2_000;
/** How often a lost create call is looked for while it may still land. */
const POLL_MS = 2_000;
/** With one nonce there is one; a load balancer may have made more. */
const MAX_FOUND = 10;

const LOST: Part<never> = { ok: false, failure: null, ms: WAIT_MS, error: "another has it in hand" };

/** The model in MLflow: known, found by its own tag, or made; null where MLflow is never to hear of it. */
export async function ensureModel(deps: Deps, claimed: ClaimedModel): Promise<Part<PlacedModel | null>> {
  const { mlflowId, sent } = claimed;
  if (mlflowId !== null && sent !== null) return { ok: true, value: { ...claimed, mlflowId, sent } };
  if (claimed.touchedAt === null) {
    const untouchedMs = claimed.createdTime + UNTOUCHED_MS - deps.now();
    if (untouchedMs > 0)
      return { ok: false, failure: null, ms: untouchedMs, error: "nobody has used it yet" };
    if (claimed.isGhost) return { ok: true, value: null };
  }
  const ready = await above(deps, claimed);
  if (!ready.ok) return ready;
  const { experimentId, runId } = ready.value;
  // A read goes first after a failure, so that an MLflow that is still away leaves no write in doubt.
  const found =
    claimed.createSentAt === null && claimed.attempts === 0
      ? ({ ok: true, value: null } as const)
      : await lookFor(deps, claimed, experimentId);
  if (!found.ok) return found;
  const there = found.value
    ? ({ ok: true, value: found.value } as const)
    : await create(deps, claimed, experimentId, runId);
  if (!there.ok) return there;
  return place(deps, claimed, there.value);
}

type Above = { experimentId: string; runId: string | null };

/** Has the experiment and the run that it belongs to brought to MLflow first, which knows them by its own ids. */
async function above(deps: Deps, claimed: ClaimedModel): Promise<Part<Above>> {
  const { mlflowExperimentId: experimentId, mlflowRunId: runId, sourceRunId, sourceStreamId } = claimed;
  if (sourceRunId !== null && runId === null) {
    if (sourceStreamId !== null) {
      await touchRun(deps.db, sourceStreamId, deps.now());
      await sendPokes(deps, [{ streamId: sourceStreamId, urgent: true }]);
    }
    return { ok: false, failure: null, ms: WAIT_MS, error: "its run is not in MLflow yet" };
  }
  if (runId === null && !deps.config.autoSync)
    return { ok: false, failure: null, ms: UNTOUCHED_MS, error: "automatic delivery is off" };
  if (claimed.isLater)
    return { ok: false, failure: null, ms: WAIT_MS, error: "an earlier one of its name goes first" };
  if (experimentId === null) {
    await tryEnqueue(deps, experimentMessage(claimed.experimentId));
    return { ok: false, failure: null, ms: WAIT_MS, error: "its experiment is not in MLflow yet" };
  }
  return { ok: true, value: { experimentId, runId } };
}

/** What became of a create call that may have made it; null where none did, and none can any more. */
async function lookFor(
  deps: Deps,
  { id, createSentAt }: ClaimedModel,
  experimentId: string,
): Promise<Part<LoggedModel | null>> {
  const found = await byTag(deps, experimentId, id);
  if (!found.ok) return found;
  const [oldest, ...others] = found.value.toSorted((a, b) => a.creationTime - b.creationTime);
  // Nobody else has their ids.
  for (const { modelId } of others) {
    const deleted = await deps.writes.deleteModel(modelId);
    if (!deleted.ok) return deleted;
  }
  if (oldest) return { ok: true, value: oldest };
  const landsUntil = (createSentAt ?? 0) + landingMs(deps.config.mlflow.timeoutMs) + MAX_START_MS;
  const leftMs = landsUntil - deps.now();
  return leftMs > 0
    ? { ok: false, failure: null, ms: Math.min(POLL_MS, leftMs), error: "its create call may still land" }
    : { ok: true, value: null };
}

async function byTag({ mlflow }: Deps, experimentId: string, id: string): Promise<Result<LoggedModel[]>> {
  const filter = tagEquals(MODEL_ID_TAG, id) ?? "";
  const found = await mlflow.searchModels({ experimentIds: [experimentId], filter, maxResults: MAX_FOUND });
  return found.ok ? { ok: true, value: found.value.items } : found;
}

/** Stores the intent, then creates. */
async function create(
  deps: Deps,
  claimed: ClaimedModel,
  experimentId: string,
  runId: string | null,
): Promise<Part<LoggedModel>> {
  const ms = leaseMs(deps.config.mlflow.timeoutMs);
  if (!(await noteCreate(deps.db, claimed, { sentAt: deps.now(), ms }))) return LOST;
  const { name, modelType, params, tags } = claimed;
  const created = await deps.writes.createModel({
    experimentId,
    name,
    modelType,
    sourceRunId: runId,
    params: toPairs(params),
    tags: toPairs({ ...tags, [MODEL_ID_TAG]: claimed.id }),
  });
  if (created.ok) return created;
  // Only where none can have been made, the intent is over; else it is looked for next time.
  const isSure = ["held", "invalid", "gone"].includes(created.failure.kind);
  if (isSure && !(await noteCreate(deps.db, claimed, { sentAt: null, ms }))) return LOST;
  return created;
}

async function place(deps: Deps, claimed: ClaimedModel, model: LoggedModel): Promise<Part<PlacedModel>> {
  const { modelId: mlflowId, artifactUri: root, status } = model;
  const { [MODEL_ID_TAG]: _, ...tags } = toRecord(model.tags);
  const params = toRecord(model.params);
  const sent: SentModel = { status, lifecycle: "active", tags, params };
  const files = await placeModel(deps.db, claimed, { mlflowId, root, sent });
  if (files === null) return LOST;
  await enqueueAll(deps, files.map(artifactMessage));
  return { ok: true, value: { ...claimed, mlflowId, mlflowRoot: root, sent } };
}
