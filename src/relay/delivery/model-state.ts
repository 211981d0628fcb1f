import { toPairs } from "../../domain/pairs.ts";
import type { Result } from "../../mlflow/failure.ts";
import { hasFilesBehind } from "../../store/gateway/model-ties-behind.ts";
import { noteSentModel, type SentModel } from "../../store/gateway/models-behind.ts";
import type { Deps } from "../deps.ts";
import type { Part } from "./bringing.ts";
import type { PlacedModel } from "./model-place.ts";

/** How soon to look again for files that are on their way. */
const FILES_MS = 2_000;

const done: Part = { ok: true, value: undefined };

/** Brings a model's tags and parameters to MLflow, as far as they differ from what it last took. */
export async function bringTexts(deps: Deps, model: PlacedModel): Promise<Part> {
  const { mlflowId, tags, params, sent } = model;
  const changed = Object.entries(tags).filter(([key, value]) => sent.tags[key] !== value);
  if (changed.length > 0) {
    const set = await deps.writes.setModelTags(mlflowId, toPairs(Object.fromEntries(changed)));
    if (!set.ok) return set;
    await note(deps, model, { tags: { ...model.sent.tags, ...Object.fromEntries(changed) } });
  }
  for (const key of Object.keys(sent.tags).filter((key) => !Object.hasOwn(tags, key))) {
    const deleted = await deps.writes.deleteModelTag(mlflowId, key);
    if (!deleted.ok && deleted.failure.kind !== "missing") return deleted;
    const { [key]: _, ...left } = model.sent.tags;
    await note(deps, model, { tags: left });
  }
  const added = Object.entries(params).filter(([key]) => !Object.hasOwn(sent.params, key));
  if (added.length === 0) return done;
  const logged = await logParams(deps, mlflowId, Object.fromEntries(added));
  if (logged.ok) await note(deps, model, { params });
  return logged;
}

/** Where some are there already, from a call whose answer was lost, the others go by themselves. */
async function logParams(
  { writes, mlflow }: Deps,
  mlflowId: string,
  params: Readonly<Record<string, string>>,
): Promise<Result<void>> {
  const logged = await writes.logModelParams(mlflowId, toPairs(params));
  if (logged.ok || logged.failure.kind !== "duplicate") return logged;
  const there = await mlflow.getModel(mlflowId);
  if (!there.ok) return there;
  const known = new Set(there.value.params.map(({ key }) => key));
  const left = toPairs(params).filter(({ key }) => !known.has(key));
  return left.length === 0 ? { ok: true, value: undefined } : writes.logModelParams(mlflowId, left);
}

/** Says in MLflow how a model ended, once its files are there; then that it was deleted. */
export async function end(deps: Deps, model: PlacedModel): Promise<Part> {
  const { mlflowId, status, lifecycle, sent } = model;
  if (status !== sent.status) {
    if (await hasFilesBehind(deps.db, model.n))
      return { ok: false, failure: null, ms: FILES_MS, error: "its files are still on their way" };
    const finalized = await deps.writes.finalizeModel(mlflowId, status);
    if (!finalized.ok) return finalized;
    await note(deps, model, { status });
  }
  if (lifecycle === "deleted" && sent.lifecycle === "active") {
    const deleted = await deps.writes.deleteModel(mlflowId);
    if (!deleted.ok) return deleted;
    await note(deps, model, { lifecycle });
  }
  return done;
}

async function note(deps: Deps, model: PlacedModel, change: Partial<SentModel>): Promise<void> {
  model.sent = { ...model.sent, ...change };
  await noteSentModel(deps.db, model, model.sent);
}
