import { type Counts, count } from "../../domain/counts.ts";
import { toRecord } from "../../domain/pairs.ts";
import { canonicalJson } from "../../domain/values.ts";
import type { Failure, Result } from "../../mlflow/failure.ts";
import { modelIdIn } from "../../mlflow/filter.ts";
import { MODEL_ID_TAG } from "../../mlflow/tags.ts";
import type { LoggedModel } from "../../mlflow/types.ts";
import {
  type FollowedModel,
  type ModelEdit,
  modelsToFollow,
  takeOver,
} from "../../store/gateway/models-followed.ts";
import type { Deps } from "../deps.ts";

/** MLflow gives no more logged models at once. */
const PAGE = 50;
/** So many that a search did not show are asked for one by one. */
const MAX_ASKED = 10;

/** `next`: the number of the last model that was looked at; null: there are no more. */
type Followed = { ok: true; next: number | null } | { ok: false; failure: Failure };

/**
 * Looks at some of the logged models of an experiment in MLflow, and takes over what was edited there: tags, the state,
 * parameters that came to it, and that it was deleted. A model of which MLflow has not heard all is looked at another
 * time, so that what was said here stands.
 * @param experimentId MLflow's
 * @param after the number of the model behind which to begin
 * @param counts is added to
 */
export async function followModels(
  deps: Deps,
  { experimentId, after }: { experimentId: string; after: number },
  counts: Counts,
): Promise<Followed> {
  const models = await modelsToFollow(deps.db, experimentId, after, PAGE);
  if (models.length === 0) return { ok: true, next: null };
  const found = await deps.mlflow.searchModels({
    experimentIds: [experimentId],
    filter: modelIdIn(models.map(({ mlflowId }) => mlflowId)),
    maxResults: PAGE,
  });
  if (!found.ok) return found;
  const shown = new Map(found.value.items.map((model) => [model.modelId, model]));
  const hidden = models.filter(({ mlflowId }) => !shown.has(mlflowId));
  const edits = models.flatMap((model) => editOf(model, shown.get(model.mlflowId)));
  for (const model of hidden.slice(0, MAX_ASKED)) {
    const asked = await askFor(deps, model);
    if (!asked.ok) return asked;
    edits.push(...asked.value);
  }
  const unsure = hidden[MAX_ASKED];
  const looked = unsure === undefined ? models : models.slice(0, models.indexOf(unsure));
  count(counts, "models", looked.length);
  const edited = await takeOver(deps.db, edits);
  if (edited > 0) count(counts, "edited_models", edited);
  return { ok: true, next: looked.at(-1)?.n ?? after };
}

type Edit = { model: FollowedModel; edit: ModelEdit };

/** None where MLflow has it as it is here. The first value of a parameter stands. */
function editOf(model: FollowedModel, seen: LoggedModel | undefined): Edit[] {
  if (seen === undefined) return [];
  const { [MODEL_ID_TAG]: _, ...tags } = toRecord(seen.tags);
  const { status, lastUpdateTime: updatedTime } = seen;
  const edit = {
    status,
    lifecycle: model.lifecycle,
    tags,
    params: { ...toRecord(seen.params), ...model.params },
  };
  return textOf(edit) === textOf(model) ? [] : [{ model, edit: { ...edit, updatedTime } }];
}

function textOf({ status, tags, params }: Omit<ModelEdit, "updatedTime">): string {
  return canonicalJson({ status, tags, params });
}

/**
 * What became of a model that a search did not show: that says little. It was deleted where MLflow shows it to who asks
 * for deleted ones, and to nobody else; one that it does not know at all may come back with a backup.
 */
async function askFor({ mlflow, now, log }: Deps, model: FollowedModel): Promise<Result<Edit[]>> {
  const there = await mlflow.getModel(model.mlflowId);
  if (there.ok) return { ok: true, value: editOf(model, there.value) };
  if (there.failure.kind !== "gone") return there;
  const deleted = await mlflow.getShownModel(model.mlflowId, true);
  if (deleted.ok)
    return { ok: true, value: [{ model, edit: { ...model, lifecycle: "deleted", updatedTime: now() } }] };
  if (deleted.failure.kind !== "gone") return deleted;
  log.warn("MLflow does not know a logged model that it had", { model_id: model.id });
  return { ok: true, value: [] };
}
