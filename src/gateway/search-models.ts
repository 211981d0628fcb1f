import { MODEL_ID_TAG } from "../mlflow/tags.ts";
import type { ShownModel } from "../mlflow/types.ts";
import type { Deps } from "../relay/deps.ts";
import { partial } from "../routes/door/partial.ts";
import { modelFilter } from "../search/search.ts";
import { aliasesOf } from "../store/gateway/aliases.ts";
import { pointsOf } from "../store/gateway/model-ties.ts";
import type { GatewayModel } from "../store/gateway/models.ts";
import { findModels, knownModels, prunedModels } from "../store/gateway/search-models.ts";
import { withDeadline } from "../waiting.ts";
import { modelOf } from "./answers/model.ts";
import { pageAnswer } from "./answers/page.ts";
import { withFirstIds, withKnownIds } from "./ids.ts";
import {
  checkTerms,
  compareModels,
  isBehind,
  isLatestFirst,
  isOfMetric,
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
  const shownThere = new Map(theirs?.map((model) => [model.info.model_id, model]));
  const pruned = await prunedModels(deps.db, [...shownThere.keys()]);
  const own = new Map(
    [...all.filter(({ id }) => !shownThere.has(id)), ...pruned].map((model) => [model.id, model]),
  );
  const shown = (models: readonly GatewayModel[]) => shownModels(deps, models, shownThere);
  const found: Sortable[] = [
    ...(asked.terms.some(isOfMetric)
      ? await shown([...own.values()])
      : [...own.values()].map((model) => modelOf(model, []))),
    ...[...shownThere.values()].filter(({ info }) => !own.has(info.model_id)),
  ].filter((model) => after === undefined || isBehind(model, after));
  found.sort(compareModels(asked.terms));
  const page = found.slice(start, end);
  const withPoints = new Map(
    (await shown(page.flatMap(({ info }) => own.get(info.model_id) ?? []))).map((model) => [
      model.info.model_id,
      model,
    ]),
  );
  const last = inOrder ? page.at(-1)?.info : undefined;
  const answer = pageAnswer(
    "models",
    page.map((model) => withPoints.get(model.info.model_id) ?? model),
    end < found.length ? asked.offset + asked.maxResults : null,
    last && { by: last.creation_timestamp_ms, id: last.model_id },
  );
  return theirs === null ? partial(answer) : answer;
}

/** The relay's own models with their points, and those of them that only MLflow has. */
async function shownModels(
  { db }: Deps,
  models: readonly GatewayModel[],
  there: ReadonlyMap<string, ShownModel>,
) {
  const ids = models.map(({ id }) => id);
  const points = Map.groupBy(await pointsOf(db, ids), ({ modelId }) => modelId);
  return models.map((model) =>
    modelOf(model, withPointsThere(points.get(model.id) ?? [], there.get(model.id)?.data.metrics ?? [])),
  );
}

/** Null where MLflow does not tell in time. */
async function beside(deps: Deps, asked: SearchModels): Promise<ShownModel[] | null> {
  if (await deps.guard.held()) return null;
  try {
    const request = await withKnownIds(deps, (swap) => ({
      experimentIds: asked.experimentIds.map((id) => swap.experiment(id)),
      filter: swapField("filter", asked.filter, swap),
    }));
    const most = asked.offset + asked.maxResults + 1;
    const found = await withDeadline(BESIDE_MS, theirModels(deps, { ...asked, ...request }, most));
    if (found === null) return null;
    const known = await knownModels(deps.db, found.flatMap(namesOf));
    return found.filter((model) => !namesOf(model).some((id) => known.has(id)));
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
