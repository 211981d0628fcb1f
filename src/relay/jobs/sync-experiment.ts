import * as z from "zod";
import type { Experiment } from "../../mlflow/types.ts";
import {
  experimentNamed,
  markExperimentGone,
  markPulled,
  mirrorExperiment,
} from "../../store/mirror/experiments.ts";
import { countMirrored, markGone, mirroredIds } from "../../store/mirror/runs.ts";
import type { Deps } from "../deps.ts";
import { type Counts, count, type Helping, newHelping, takesPage } from "../follow/helping.ts";
import { followModels } from "../follow/models.ts";
import { followRuns } from "../follow/page.ts";
import { heard } from "../line/breaker.ts";
import { MAX_IDS, runsOrLost } from "../line/runs-by-id.ts";
import { type Job, type JobHandler, type JobStep, rest } from "./step.ts";

/** In front of an experiment's name, where a job's target is not MLflow's id. */
export const NAME_TARGET = "name:";

const PAGE_RUNS = 200;
/** One message's work: far below what a Worker may take, and soon over for the jobs behind it. */
const MAX_PAGES = 20;
const MAX_MS = 20_000;

/** Where the next message goes on. */
const progress = z.object({
  experimentId: z.string(),
  /** The pages of the runs, then the runs that were on none of them, then the logged models. */
  phase: z.enum(["pages", "missing", "models"]),
  /** MLflow's token of the page; null for the first. */
  pageToken: z.string().nullable(),
  /** How many runs of this page were counted as created or updated before the helping was used up. */
  counted: z.number(),
  /** The runs of this page that had their turn: they get no second one in this job. */
  handled: z.array(z.string()),
  /** The last run's id, or model's number, that was looked for. */
  after: z.string(),
});
type Progress = z.output<typeof progress>;

/**
 * `sync_experiment`: every run of an experiment, deleted ones too, into the mirror, and what was changed in linked
 * runs into their journals; then what was edited of the relay's logged models. Its target is MLflow's id of the experiment, or its name behind `name:`.
 */
export const syncExperiment: JobHandler = async (deps, job) => {
  const begun = await begin(deps, job);
  if ("kind" in begun) return begun;
  const counts = { ...job.counts };
  const helping = newHelping(deps.now() + MAX_MS);
  let at: Progress | null = begun;
  for (let page = 0; at !== null; page++) {
    if (page >= MAX_PAGES || !takesPage(deps, helping)) return goOn(at, counts);
    const next: Progress | JobStep | null =
      at.phase === "pages"
        ? await followPage(deps, at, helping, counts)
        : await (at.phase === "missing" ? lookFor : models)(deps, at, counts);
    if (next !== null && "kind" in next) {
      // What was done before is stored, so that it is neither done nor counted again.
      return next.kind === "failed" && page > 0 ? goOn(at, counts) : next;
    }
    if (next === null) await markPulled(deps.db, at.experimentId, deps.now());
    at = next;
  }
  return { kind: "done", counts };
};

function goOn(at: Progress, counts: Counts): JobStep {
  return { kind: "continue", progress: JSON.stringify(at), counts, delayMs: 0 };
}

/** Where to begin: where the last message stopped, else at the first page, once the experiment was looked at. */
async function begin(deps: Deps, job: Job): Promise<Progress | JobStep> {
  if (job.progress !== null) return progress.parse(JSON.parse(job.progress));
  const found = await findExperiment(deps, job.target);
  if ("kind" in found) return found;
  await mirrorExperiment(deps.db, found, deps.now());
  return {
    experimentId: found.experimentId,
    phase: "pages",
    pageToken: null,
    counted: 0,
    handled: [],
    after: "",
  };
}

async function findExperiment(deps: Deps, target: string): Promise<Experiment | JobStep> {
  const name = target.startsWith(NAME_TARGET) ? target.slice(NAME_TARGET.length) : null;
  let id = target;
  if (name !== null) {
    const named = await deps.mlflow.getExperimentByName(name);
    if (named.ok) return named.value;
    if (named.failure.kind !== "missing" && named.failure.kind !== "gone") return heard(deps, named.failure);
    // It may have been renamed.
    const known = await experimentNamed(deps.db, name);
    if (known === null) return { kind: "cancel", reason: `MLflow has no experiment "${name}"` };
    id = known;
  }
  const found = await deps.mlflow.getExperiment(id);
  if (found.ok) return found.value;
  if (found.failure.kind !== "gone" && found.failure.kind !== "missing") return heard(deps, found.failure);
  await markExperimentGone(deps.db, id, deps.now());
  return { kind: "cancel", reason: `MLflow has no experiment ${name === null ? id : `"${name}"`}` };
}

/** Oldest first: runs that are made meanwhile come last, and move no page. */
const ORDER = ["attributes.start_time ASC", "attributes.run_id ASC"];

async function followPage(
  deps: Deps,
  at: Progress,
  helping: Helping,
  counts: Counts,
): Promise<Progress | JobStep | null> {
  const seenAt = deps.now();
  const page = await deps.mlflow.searchRuns({
    experimentIds: [at.experimentId],
    viewType: "ALL",
    maxResults: PAGE_RUNS,
    orderBy: ORDER,
    ...(at.pageToken === null ? {} : { pageToken: at.pageToken }),
  });
  if (!page.ok) return heard(deps, page.failure);
  const callMs = deps.now() - seenAt;
  const { items, nextPageToken } = page.value;
  const own: Counts = {};
  helping.handled = new Set(at.handled);
  const { outcome } = await followRuns(deps, items, seenAt, helping, own);
  const { unchanged = 0, ...others } = own;
  for (const [name, by] of Object.entries(others)) count(counts, name, by);
  const counted = at.counted + (own.created ?? 0) + (own.updated ?? 0);
  // What a trial logs all the time is no news here: a failure that comes again is one then.
  const isNews = helping.handled.size > at.handled.length || (own.created ?? 0) > 0;
  if (outcome.kind === "more" || (outcome.kind === "failed" && isNews))
    return goOn({ ...at, counted, handled: [...helping.handled] }, counts);
  if (outcome.kind === "failed") return outcome;
  count(counts, "pages");
  count(counts, "runs", items.length);
  count(counts, "unchanged", Math.max(0, unchanged - at.counted));
  await rest(deps, callMs);
  if (nextPageToken !== null) return { ...at, pageToken: nextPageToken, counted: 0, handled: [] };
  const isWhole = (await countMirrored(deps.db, at.experimentId)) <= (counts.runs ?? 0);
  return { ...at, phase: isWhole ? "models" : "missing", pageToken: null, counted: 0, handled: [] };
}

/** Asks for runs that the mirror has by their ids: those that are not answered were deleted for good. */
async function lookFor(deps: Deps, at: Progress, counts: Counts): Promise<Progress | JobStep> {
  const ids = await mirroredIds(deps.db, at.experimentId, at.after, MAX_IDS);
  const last = ids.at(-1);
  if (last === undefined) return { ...at, phase: "models", after: "" };
  const askedAt = deps.now();
  const found = await runsOrLost(
    deps,
    ids.map((runId) => ({ runId, experimentId: at.experimentId })),
  );
  if (!found.ok) return heard(deps, found.failure);
  const { lost, unsure } = found;
  await markGone(deps.db, lost, deps.now());
  if (lost.length > 0) count(counts, "deleted", lost.length);
  await rest(deps, deps.now() - askedAt);
  // Those that it is not sure of yet are looked for again.
  const next = unsure[0] === undefined ? -1 : ids.indexOf(unsure[0]);
  return { ...at, after: next < 0 ? last : (ids[next - 1] ?? at.after) };
}

/** A page of the relay's logged models in it. */
async function models(deps: Deps, at: Progress, counts: Counts): Promise<Progress | JobStep | null> {
  const askedAt = deps.now();
  const followed = await followModels(
    deps,
    { experimentId: at.experimentId, after: Number(at.after) },
    counts,
  );
  if (!followed.ok) return heard(deps, followed.failure);
  await rest(deps, deps.now() - askedAt);
  return followed.next === null ? null : { ...at, after: String(followed.next) };
}
