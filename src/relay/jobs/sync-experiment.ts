import * as z from "zod";
import { type Counts, count } from "../../domain/counts.ts";
import { failed } from "../../mlflow/failure.ts";
import type { Experiment } from "../../mlflow/types.ts";
import {
  experimentNamed,
  markExperimentGone,
  markPulled,
  mirrorExperiment,
} from "../../store/mirror/experiments.ts";
import { countPutOff, FOLLOW_COUNTS, followedIn, untriedOf } from "../../store/mirror/marks.ts";
import { countMirrored, markGone, mirroredIds } from "../../store/mirror/runs.ts";
import type { Deps } from "../deps.ts";
import { followModels } from "../follow/models.ts";
import { lookAtRuns } from "../follow/page.ts";
import { heard } from "../line/breaker.ts";
import { MAX_IDS, runsOrLost } from "../line/runs-by-id.ts";
import { followMessage } from "../messages.ts";
import { tryEnqueueAll } from "../queues.ts";
import { type Job, type JobHandler, type JobStep, rest } from "./step.ts";

/** In front of an experiment's name, where a job's target is not MLflow's id. */
export const NAME_TARGET = "name:";

const PAGE_RUNS = 200;
/** One message's work: far below what a Worker may take, and soon over for the jobs behind it. */
const MAX_PAGES = 20;
const MAX_MS = 20_000;
const PAGE_STATEMENTS = 100;
/** So many runs are on their way to be followed at once, on the queue of the jobs, so that the job comes after them. */
const MAX_ON_THE_WAY = 100;
const ON_THE_WAY_MS = 1_000;
const TOLD_EACH = 8;

/** Where the next message goes on. */
const progress = z.object({
  experimentId: z.string(),
  /** When the job looked at the experiment, epoch milliseconds; an older build did not tell. */
  begunAt: z.number().default(0),
  /** The pages of the runs, then the runs that were on none of them, the logged models, and the runs that are marked. */
  phase: z.enum(["pages", "missing", "models", "marked"]),
  /** When the last phase began, epoch milliseconds; an older build does not tell. */
  markedAt: z.number().default(Number.MAX_SAFE_INTEGER),
  /** How many messages the job has waited in that phase. */
  waited: z.number().default(0),
  /** MLflow's token of the page; null for the first. */
  pageToken: z.string().nullable(),
  /** That of an earlier page, a later one whenever there are twice as many: who goes round in pages comes by it again. */
  earlierToken: z.string().nullable().default(null),
  /** The last run's id, or model's number, that was looked for. */
  after: z.string(),
});
type Progress = z.output<typeof progress>;

/** What came of a part of the job: where to go on, what it comes to, or that it is over. */
type Part = Progress | JobStep | null;

/**
 * `sync_experiment`: every run of an experiment, deleted ones too, into the mirror; what was edited of the relay's logged
 * models; and what was changed in linked runs into their journals, a run a message, which the job waits for. Its target
 * is MLflow's id of the experiment, or its name behind `name:`.
 */
export const syncExperiment: JobHandler = async (deps, job) => {
  const begun = await begin(deps, job);
  if ("kind" in begun) return begun;
  const counts = { ...job.counts };
  const untilMs = deps.now() + MAX_MS;
  let at: Progress | null = begun;
  for (let page = 0; at !== null; page++) {
    if (page >= MAX_PAGES || deps.now() >= untilMs || !deps.budget.has(PAGE_STATEMENTS))
      return goOn(at, counts);
    const next: Part = await PHASES[at.phase](deps, at, counts);
    if (next !== null && "kind" in next) {
      // What was done before is stored, so that it is neither done nor counted again.
      return next.kind === "failed" && page > 0 ? goOn(at, counts) : next;
    }
    if (next === null) await markPulled(deps.db, at.experimentId, deps.now());
    at = next;
  }
  return { kind: "done", counts };
};

function goOn(at: Progress, counts: Counts, delayMs = 0): JobStep {
  return { kind: "continue", progress: JSON.stringify(at), counts, delayMs };
}

/** Where to begin: where the last message stopped, else at the first page, once the experiment was looked at. */
async function begin(deps: Deps, job: Job): Promise<Progress | JobStep> {
  if (job.progress !== null) return progress.parse(JSON.parse(job.progress));
  const found = await findExperiment(deps, job.target);
  if ("kind" in found) return found;
  await mirrorExperiment(deps.db, found, deps.now());
  return {
    experimentId: found.experimentId,
    begunAt: deps.now(),
    phase: "pages",
    markedAt: Number.MAX_SAFE_INTEGER,
    waited: 0,
    pageToken: null,
    earlierToken: null,
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

async function pages(deps: Deps, at: Progress, counts: Counts): Promise<Part> {
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
  // Else the job would have no end.
  if (nextPageToken !== null && nextPageToken === at.earlierToken)
    return heard(deps, failed("misconfigured", "the server repeats a page of runs"));
  await lookAtRuns(deps, items, seenAt, counts);
  count(counts, "pages");
  count(counts, "runs", items.length);
  await rest(deps, callMs);
  if (nextPageToken !== null) {
    const isPassed = Number.isInteger(Math.log2(counts.pages ?? 0));
    return { ...at, pageToken: nextPageToken, ...(isPassed ? { earlierToken: nextPageToken } : {}) };
  }
  const isWhole = (await countMirrored(deps.db, at.experimentId)) <= (counts.runs ?? 0);
  return { ...at, phase: isWhole ? "models" : "missing", pageToken: null };
}

/** Asks for runs that the mirror has by their ids: those that are not answered were deleted for good. */
async function missing(deps: Deps, at: Progress, counts: Counts): Promise<Part> {
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
async function models(deps: Deps, at: Progress, counts: Counts): Promise<Part> {
  const askedAt = deps.now();
  const followed = await followModels(
    deps,
    { experimentId: at.experimentId, after: Number(at.after) },
    counts,
  );
  if (!followed.ok) return heard(deps, followed.failure);
  await rest(deps, deps.now() - askedAt);
  return followed.next === null
    ? { ...at, phase: "marked", markedAt: deps.now() }
    : { ...at, after: String(followed.next) };
}

/** Has the runs that are marked followed, and waits until each was tried: one that fails is for the cron. */
async function marked(deps: Deps, at: Progress, counts: Counts): Promise<Part> {
  const { experimentId, begunAt, markedAt, waited } = at;
  const waiting = await untriedOf(deps.db, experimentId, markedAt, MAX_ON_THE_WAY);
  if (waiting.length === 0 || isToldAfter(waited)) await tellFollowed(deps, at, counts);
  if (waiting.length === 0) {
    const putOff = await countPutOff(deps.db, experimentId, begunAt);
    if (putOff > 0) counts.put_off = putOff;
    return null;
  }
  await tryEnqueueAll(deps, waiting.map(followMessage));
  return goOn({ ...at, waited: waited + 1 }, counts, ON_THE_WAY_MS);
}

/** After each of the first messages, then ever more seldom: all that were followed are counted each time. */
function isToldAfter(waited: number): boolean {
  return waited < TOLD_EACH || Number.isInteger(Math.log2(waited));
}

/** What came of the runs since the job began. What failed at first may have come to something since. */
async function tellFollowed(deps: Deps, { experimentId, begunAt }: Progress, counts: Counts): Promise<void> {
  const time = { from: begunAt, until: Number.MAX_SAFE_INTEGER };
  for (const name of FOLLOW_COUNTS) delete counts[name];
  Object.assign(counts, await followedIn(deps.db, time, experimentId));
}

const PHASES = { pages, missing, models, marked };
