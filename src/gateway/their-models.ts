import type { ShownModel } from "../mlflow/types.ts";
import type { Deps } from "../relay/deps.ts";
import { withFirstIds } from "./ids.ts";
import { swapIn } from "./passing/swap.ts";
import type { SearchModels } from "./requests/search-models.ts";

/** MLflow gives no more at once, and so many pages are looked at. */
const PAGE = 50;
const MAX_PAGES = 10;

/**
 * The first of MLflow's own models that fit a search, as it shows them, under the ids that were given first.
 * @param asked with MLflow's ids
 * @returns null where MLflow does not answer; `isAll` is false where it has more of those that were asked for
 */
export async function theirModels(
  deps: Deps,
  { experimentIds, filter, datasets, terms }: SearchModels,
  most: number,
): Promise<{ models: ShownModel[]; isAll: boolean } | null> {
  const found: ShownModel[] = [];
  let pageToken: string | null = null;
  for (let page = 0; page < MAX_PAGES && found.length < most; page++) {
    const answer = await deps.mlflow.searchShownModels({
      experiment_ids: experimentIds,
      filter,
      datasets: datasets.map(({ name, digest }) => ({
        dataset_name: name,
        ...(digest === null ? {} : { dataset_digest: digest }),
      })),
      order_by: terms.map(({ field, ascending, datasetName, datasetDigest }) => ({
        field_name: field,
        ascending,
        ...(datasetName === "" ? {} : { dataset_name: datasetName }),
        ...(datasetDigest === "" ? {} : { dataset_digest: datasetDigest }),
      })),
      max_results: PAGE,
      ...(pageToken === null ? {} : { page_token: pageToken }),
    });
    // An experiment that is not there has none.
    if (!answer.ok) {
      const isNone = answer.failure.kind === "gone" || answer.failure.kind === "invalid";
      return isNone ? { models: [], isAll: true } : null;
    }
    found.push(...answer.value.items);
    pageToken = answer.value.nextPageToken;
    if (pageToken === null) break;
  }
  const models = await withFirstIds(deps, (swap) => swapIn(found, swap));
  return { models, isAll: pageToken === null || found.length >= most };
}
