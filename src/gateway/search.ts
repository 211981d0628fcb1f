import type { LifecycleStage } from "../domain/words.ts";
import { errorText } from "../log.ts";
import type { Deps } from "../relay/deps.ts";
import { foldStream } from "../relay/stream/fold.ts";
import { partial } from "../routes/door/partial.ts";
import * as language from "../search/search.ts";
import { readData } from "../store/gateway/search-data.ts";
import { findExperiments, isByCreation } from "../store/gateway/search-experiments.ts";
import { findRows } from "../store/gateway/search-rows.ts";
import { type Scope, scopeOf } from "../store/gateway/search-scope.ts";
import { isWalked } from "../store/gateway/search-walk.ts";
import { experimentOf } from "./answers/experiment.ts";
import { pageAnswer } from "./answers/page.ts";
import { runOf } from "./answers/run.ts";
import { seeDefault } from "./experiments.ts";
import { inItsWords } from "./refusal.ts";
import type { Search, ViewType } from "./requests/search.ts";

/** Searches of MLflow's clients: over what the relay has and what it has seen of MLflow, whether MLflow is there or not. */

const STAGES: Record<ViewType, readonly LifecycleStage[]> = {
  ACTIVE_ONLY: ["active"],
  DELETED_ONLY: ["deleted"],
  ALL: ["active", "deleted"],
};

/** A page with more is cut short: the answer, and all that is read for it, must fit into a Worker's memory. */
const MAX_PAGE_BYTES = 12_000_000;

/** So many streams at most are folded for a search, about as many as the statements of an invocation do, and so many at once. */
const MAX_FOLDED = 60;
const FOLDED_AT_ONCE = 5;
/** What the fold of a stream may take, and the search itself. */
const FOLD_STATEMENTS = 30;
/** Another that folds a stream at the same time may have read it before the last word. */
const FOLD_TRIES = 3;

/**
 * The answer to `runs/search`: with what was said of the runs up to now. No experiment's id finds nothing.
 * @throws Refusal INVALID_PARAMETER_VALUE
 */
export async function searchRuns(
  deps: Deps,
  asked: Search & { experimentIds: readonly string[] },
): Promise<object> {
  const search = inItsWords(() => language.runSearch(asked.filter, asked.orderBy));
  if (asked.experimentIds.length === 0) return {};
  const scope = await scopeOf(deps.db, asked.experimentIds, search.clauses, MAX_FOLDED + 1);
  const isUpToDate = await foldAll(deps, scope.unfolded);
  const window = { offset: asked.offset, limit: asked.maxResults + 1, after: asked.after };
  const rows = await findRows(deps.db, scope, search, STAGES[asked.viewType], window);
  const runs = await readData(deps.db, rows.slice(0, asked.maxResults), MAX_PAGE_BYTES);
  const next = runs.length < rows.length ? asked.offset + runs.length : null;
  const last = isWalked(scope, search) ? runs.at(-1) : undefined;
  const place = last && { by: last.startTime, id: last.runId };
  const answer = pageAnswer("runs", runs.map(runOf), next, place);
  const isPartial = scope.theirs.some((experiment) => experiment.isPartial);
  return isPartial || !isUpToDate ? partial(answer) : answer;
}

/**
 * The answer to `experiments/search`.
 * @throws Refusal INVALID_PARAMETER_VALUE
 */
export async function searchExperiments(deps: Deps, asked: Search): Promise<object> {
  const search = inItsWords(() => language.experimentSearch(asked.filter, asked.orderBy));
  await seeDefault(deps);
  const window = { offset: asked.offset, limit: asked.maxResults + 1, after: asked.after };
  const found = await findExperiments(deps.db, search, STAGES[asked.viewType], window);
  const page = found.slice(0, asked.maxResults);
  const next = found.length > page.length ? asked.offset + page.length : null;
  const last = isByCreation(search) ? page.at(-1) : undefined;
  const place = last && { by: last.createdTime, id: last.id };
  return pageAnswer("experiments", page.map(experimentOf), next, place);
}

/** Brings the rows up to date that are searched. What cannot be folded now is found as it was: then false. */
async function foldAll(deps: Deps, unfolded: Scope["unfolded"]): Promise<boolean> {
  const waiting = unfolded.slice(0, MAX_FOLDED);
  let isAll = unfolded.length <= MAX_FOLDED;
  const foldOn = async () => {
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      if (!deps.budget.has(FOLD_STATEMENTS * FOLDED_AT_ONCE)) {
        isAll = false;
        return;
      }
      try {
        await foldUp(deps, next);
      } catch (error) {
        isAll = false;
        deps.log.warn("a stream is searched as it was folded before", {
          stream_id: next.id,
          error: errorText(error),
        });
      }
    }
  };
  await Promise.all(Array.from({ length: FOLDED_AT_ONCE }, foldOn));
  return isAll;
}

async function foldUp(deps: Deps, stream: Scope["unfolded"][number]): Promise<void> {
  let { foldedSeq } = stream;
  for (let more = true, tries = 0; more && tries < FOLD_TRIES; tries++)
    ({ foldedSeq, more } = await foldStream(deps, { ...stream, foldedSeq }));
}
