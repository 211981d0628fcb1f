import type { Failure, Result } from "../../mlflow/failure.ts";
import { runIdIn } from "../../mlflow/filter.ts";
import type { Page, Run } from "../../mlflow/types.ts";
import type { Deps } from "../deps.ts";

/** MLflow takes so many ids in a filter at ease. */
export const MAX_IDS = 100;
/** A server may answer shorter pages than it was asked for; one that has no end is not believed. */
const MAX_PAGES = 10;
/** So many that a search did not show are asked for one by one. */
const MAX_ASKED = 20;

/** A run and the experiment that it is in, where a search looks for it. */
export type RunPlace = { runId: string; experimentId: string };

type Found = { ok: true; runs: Map<string, Run> } | { ok: false; failure: Failure };

/** Asks MLflow for some runs by their ids, deleted ones too: one search for all, up to its last page. */
export async function runsById(
  { mlflow }: Pick<Deps, "mlflow">,
  places: readonly RunPlace[],
): Promise<Found> {
  const runs = new Map<string, Run>();
  let pageToken: string | null = null;
  for (let page = 0; page < MAX_PAGES; page++) {
    const found: Result<Page<Run>> = await mlflow.searchRuns({
      experimentIds: [...new Set(places.map(({ experimentId }) => experimentId))],
      filter: runIdIn(places.map(({ runId }) => runId)),
      viewType: "ALL",
      maxResults: places.length,
      ...(pageToken === null ? {} : { pageToken }),
    });
    if (!found.ok) return found;
    for (const run of found.value.items) runs.set(run.info.runId, run);
    pageToken = found.value.nextPageToken;
    if (pageToken === null || places.every(({ runId }) => runs.has(runId))) break;
  }
  return { ok: true, runs };
}

/** `lost`: those that MLflow says it does not know. `unsure`: those that are to be asked for another time. */
type Sure = { ok: true; runs: Map<string, Run>; lost: string[]; unsure: string[] };

/**
 * The same, where it matters which of them are not there any more. That a search does not show a run says little: it
 * may be of an experiment that these credentials may not list, or be no answer of MLflow's. Each is asked for by itself.
 */
export async function runsOrLost(
  deps: Pick<Deps, "mlflow">,
  places: readonly RunPlace[],
): Promise<Sure | Extract<Found, { ok: false }>> {
  const found = await runsById(deps, places);
  if (!found.ok) return found;
  const { runs } = found;
  const missing = places.map(({ runId }) => runId).filter((id) => !runs.has(id));
  const lost: string[] = [];
  for (const id of missing.slice(0, MAX_ASKED)) {
    const run = await deps.mlflow.getRun(id);
    if (run.ok) runs.set(id, run.value);
    else if (run.failure.kind === "gone") lost.push(id);
    else return run;
  }
  return { ok: true, runs, lost, unsure: missing.slice(MAX_ASKED) };
}
