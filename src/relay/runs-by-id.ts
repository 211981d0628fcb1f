import type { Failure } from "../mlflow/failure.ts";
import { runIdIn } from "../mlflow/filter.ts";
import type { Run } from "../mlflow/types.ts";
import type { Deps } from "./deps.ts";

/** MLflow takes so many ids in a filter at ease. */
export const MAX_IDS = 100;
/** A server may answer shorter pages than it was asked for; one that has no end is not believed. */
const MAX_PAGES = 10;

/** A run and the experiment that it is in, where a search looks for it. */
export type Wanted = { runId: string; experimentId: string };

/** The runs that MLflow showed, by id. `isWhole` is false where it had not shown all of them yet. */
export type Found = { ok: true; runs: Map<string, Run>; isWhole: boolean } | { ok: false; failure: Failure };

/** Asks MLflow for some runs by their ids, deleted ones too: one search for all, up to its last page. */
export async function runsById({ mlflow }: Pick<Deps, "mlflow">, wanted: readonly Wanted[]): Promise<Found> {
  const runs = new Map<string, Run>();
  let pageToken: string | null = null;
  for (let page = 0; page < MAX_PAGES; page++) {
    const found: Awaited<ReturnType<typeof mlflow.searchRuns>> = await mlflow.searchRuns({
      experimentIds: [...new Set(wanted.map(({ experimentId }) => experimentId))],
      filter: runIdIn(wanted.map(({ runId }) => runId)),
      viewType: "ALL",
      maxResults: wanted.length,
      ...(pageToken === null ? {} : { pageToken }),
    });
    if (!found.ok) return found;
    for (const run of found.value.items) runs.set(run.info.runId, run);
    pageToken = found.value.nextPageToken;
    if (pageToken === null) return { ok: true, runs, isWhole: true };
    if (wanted.every(({ runId }) => runs.has(runId))) break;
  }
  return { ok: true, runs, isWhole: wanted.every(({ runId }) => runs.has(runId)) };
}
