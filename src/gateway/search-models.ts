import { MODEL_ID_TAG } from "../mlflow/tags.ts";
import type { ShownModel } from "../mlflow/types.ts";
import type { Deps } from "../relay/deps.ts";
import { partial } from "../routes/door/partial.ts";
import { modelFilter } from "../search/search.ts";
import { aliasesOf } from "../store/gateway/aliases.ts";
import { latestPointsOf, pointsOf, type ShownPoint } from "../store/gateway/model-ties.ts";
import type { GatewayModel } from "../store/gateway/models.ts";
import { findModels, knownModels, MAX_FOUND, prunedModels } from "../store/gateway/search-models.ts";
import { withDeadline } from "../waiting.ts";
import { modelOf } from "./answers/model.ts";
import { pageAnswer } from "./answers/page.ts";
import { withFirstIds, withKnownIds } from "./ids.ts";
import {
  checkTerms,
  compareModels,
  isBehind,
  isLatestFirst,
  metricsIn,
  type Sortable,
} from "./model-order.ts";
import { withPointsThere } from "./model-points.ts";
import { swapField } from "./passing/swap.ts";
import { inItsWords } from "./refusal.ts";
import type { SearchModels } from "./requests/search-models.ts";
import { theirModels } from "./their-models.ts";

/** Who asks waits so long for what only MLflow has. */
const BESIDE_MS = 1_000;

/**
 * The answer to `logged-models/search`: the relay's own, and while MLflow is there those that only it has. No experiment's
 * id finds nothing.
 * @throws Refusal INVALID_PARAMETER_VALUE
 */
export async function searchModels(deps: Deps, asked: SearchModels): Promise<object> {
  checkTerms(asked.terms);
  const firstFilter = await withFirstIds(deps, (swap) => swapField("filter", asked.filter, swap));
  const clauses = inItsWords(() => modelFilter(firstFilter));
  if (asked.experimentIds.length === 0) return {};
  const { experiments } = await aliasesOf(
    deps.db,
    { runs: [], models: [], experiments: asked.experimentIds },
    "client",
  );
  const firstIds = new Map(experiments.map(({ asked: id, first }) => [id, first]));
  const ids = [...new Set(asked.experimentIds.map((id) => firstIds.get(id) ?? id))];
  const inOrder = isLatestFirst(asked.terms);
  const after = inOrder ? asked.after : undefined;
  const start = after ? 0 : asked.offset;
  const end = start + asked.maxResults;
  const [all, theirs] = await Promise.all([
    findModels(deps.db, ids, clauses, asked.datasets, inOrder ? { after, limit: end + 1 } : undefined),
    beside(deps, asked),
  ]);
  // MLflow shows more of what it had first, and of those whose points were pruned here.
  const shownThere = new Map(theirs?.models.map((model) => [model.info.model_id, model]));
  const pruned = await prunedModels(deps.db, [...shownThere.keys()]);
  const own = new Map(
    [...all.filter(({ id }) => !shownThere.has(id)), ...pruned].map((model) => [model.id, model]),
  );
  const shown = (models: readonly GatewayModel[], points: readonly ShownPoint[]) =>
    shownModels(models, points, shownThere);
  const found: Sortable[] = [
    ...shown([...own.values()], await latestPointsOf(deps.db, [...own.keys()], metricsIn(asked.terms))),
    ...[...shownThere.values()].filter(({ info }) => !own.has(info.model_id)),
  ].filter((model) => after === undefined || isBehind(model, after));
  found.sort(compareModels(asked.terms));
  const most = found.slice(start, end);
  const owned = most.flatMap(({ info }) => own.get(info.model_id) ?? []);
  const { points, whole } = await pointsOf(
    deps.db,
    owned.map(({ id }) => id),
  );
  const withPoints = new Map(shown(owned, points).map((model) => [model.info.model_id, model]));
  // Behind the last model that has all its points there the next page begins; one that has more stands alone.
  const cutAt = most.findIndex(({ info }) => info.model_id === owned[Math.max(whole, 1)]?.id);
  const page = cutAt < 0 ? most : most.slice(0, cutAt);
  const last = inOrder ? page.at(-1)?.info : undefined;
  const answer = pageAnswer(
    "models",
    page.map((model) => withPoints.get(model.info.model_id) ?? model),
    start + page.length < found.length ? asked.offset + page.length : null,
    last && { by: last.creation_timestamp_ms, id: last.model_id },
  );
  const isCut = (owned.length > 0 && whole === 0) || (!inOrder && all.length >= MAX_FOUND);
  return theirs === null || !theirs.isAll || isCut ? partial(answer) : answer;
}

/** The relay's own models with these points, and those of them that only MLflow has. */
function shownModels(
  models: readonly GatewayModel[],
  points: readonly ShownPoint[],
  there: ReadonlyMap<string, ShownModel>,
) {
  const own = Map.groupBy(points, ({ modelId }) => modelId);
  return models.map((model) =>
    modelOf(model, withPointsThere(own.get(model.id) ?? [], there.get(model.id)?.data.metrics ?? [])),
  );
}

/** Null where MLflow does not tell in time. */
async function beside(deps: Deps, asked: SearchModels): ReturnType<typeof theirModels> {
  if (await deps.guard.held()) return null;
  try {
    const request = await withKnownIds(deps, (swap) => ({
      experimentIds: asked.experimentIds.map((id) => swap.experiment(id)),
      filter: swapField("filter", asked.filter, swap),
    }));
    const most = asked.offset + asked.maxResults + 1;
    const found = await withDeadline(BESIDE_MS, theirModels(deps, { ...asked, ...request }, most));
    if (found === null) return null;
    const known = await knownModels(deps.db, found.models.flatMap(namesOf));
    const models = found.models.filter((model) => !namesOf(model).some((id) => known.has(id)));
    return { ...found, models };
  } catch {
    return null;
  }
}

/** Its first id, and the relay's, by which one is known that was made a moment ago. */
function namesOf({ info }: ShownModel): string[] {
  return [
    info.model_id,
    ...(info.tags ?? []).flatMap(({ key, value }) => (key === MODEL_ID_TAG ? value : [])),
  ];
}
