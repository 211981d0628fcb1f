import { MAX_STEP, MIN_STEP } from "../domain/limits.ts";
import { compareInHistory } from "../domain/observations.ts";
import type { Deps } from "../relay/deps.ts";
import { readHistory } from "../relay/follow/history.ts";
import { historyPage, type Part, type StoredObservation } from "../store/gateway/history.ts";
import { type KnownRun, runById } from "../store/gateway/runs.ts";
import type { StepRange } from "../store/views/points.ts";
import { bulkAnswer, historyAnswer, intervalAnswer } from "./answers/history.ts";
import { intervalOf } from "./answers/interval.ts";
import { unavailable } from "./keep.ts";
import { lookUpRun } from "./lookup.ts";
import { invalid } from "./refusal.ts";
import type { BulkHistory, History, IntervalHistory } from "./requests/histories.ts";
import { notKnownNow } from "./run-for-write.ts";

/** Metric histories for MLflow's clients: what was logged a moment ago is there. */

/** More points than this are no answer that a Worker could hold. */
const MAX_POINTS = 250_000;
/** A page is of all the points there are: where some are left out it is of others. */
const NOT_THINNED = Number.POSITIVE_INFINITY;
const EVERY_STEP = { from: MIN_STEP, to: MAX_STEP };

/** The answer to `metrics/get-history`. A run that nobody knows has no points, as in MLflow. */
export async function getHistory(deps: Deps, asked: History): Promise<object> {
  const { offset, maxResults } = asked;
  const limit = Math.min(maxResults ?? MAX_POINTS, MAX_POINTS);
  const points = await pointsOf(deps, asked.runId, asked.metricKey, {
    steps: EVERY_STEP,
    offset,
    limit: limit + 1,
  });
  const next = points.length > limit ? offset + limit : null;
  return historyAnswer(named(asked.metricKey, points.slice(0, limit)), next);
}

/** The answer to `metrics/get-history-bulk`: run by run in order of their ids, so many points together. */
export async function getBulkHistory(
  deps: Deps,
  { runIds, metricKey, maxResults }: BulkHistory,
): Promise<object> {
  const points = [];
  for (const runId of [...new Set(runIds)].sort()) {
    const left = maxResults - points.length;
    if (left <= 0) break;
    const own = await pointsOf(deps, runId, metricKey, { steps: EVERY_STEP, offset: 0, limit: left });
    points.push(...named(metricKey, own).map((point) => ({ ...point, runId })));
  }
  return bulkAnswer(points);
}

/**
 * The answer to `metrics/get-history-bulk-interval`: a sample of each run's points, of which one run's are held at a time.
 * @throws Refusal INVALID_PARAMETER_VALUE where a run has more of them than can be held: a part of them would be no sample
 */
export async function getIntervalHistory(
  deps: Deps,
  { runIds, metricKey, steps, maxResults }: IntervalHistory,
): Promise<object> {
  const range = steps === null ? EVERY_STEP : { from: steps.first, to: steps.last };
  const samples = [];
  for (const runId of new Set(runIds)) {
    const all = { steps: range, offset: 0, limit: MAX_POINTS + 1 };
    const points = named(metricKey, await pointsOf(deps, runId, metricKey, all));
    if (points.length > MAX_POINTS)
      throw invalid(
        `Run ${runId} has more than ${MAX_POINTS} points of '${metricKey}' in these steps. Ask for fewer steps at once.`,
      );
    samples.push(...intervalOf([{ runId, points }], steps, maxResults));
  }
  return intervalAnswer(samples);
}

function named(key: string, points: readonly StoredObservation[]) {
  return points.map((point) => ({ key, ...point }));
}

async function pointsOf(deps: Deps, asked: string, key: string, part: Part): Promise<StoredObservation[]> {
  const known = await runById(deps.db, asked);
  if (known === null) return inPart(await pointsInMlflow(deps, asked, key, part.steps), part);
  if (!known.hasPointsElsewhere) return historyPage(deps.db, known.streamId, key, part);
  return inPart(await withElsewhere(deps, known, key, part), part);
}

/** What is here, as far as a part reaches, and what MLflow has beside it; while it is away what was read of it before. */
async function withElsewhere(
  deps: Deps,
  { streamId, mlflowRunId }: KnownRun,
  key: string,
  { steps, offset, limit }: Part,
): Promise<StoredObservation[]> {
  // What lies behind these here lies behind them among all.
  const own = await historyPage(deps.db, streamId, key, { steps, offset: 0, limit: offset + limit });
  if (mlflowRunId === null) return own;
  const read = await readHistory(deps, mlflowRunId, key, steps, NOT_THINNED);
  if (read.kind === "away" && own.length === 0)
    throw unavailable(`MLflow cannot be asked for this history just now: ${read.reason}`);
  const there = read.kind === "read" ? read.series.points : [];
  const identity = ({ step, timestamp, value }: StoredObservation) => `${step} ${timestamp} ${value}`;
  return [...new Map([...there, ...own].map((point) => [identity(point), point])).values()].sort(
    compareInHistory,
  );
}

/** Of a run that the relay has no stream for. */
async function pointsInMlflow(
  deps: Deps,
  runId: string,
  key: string,
  steps: StepRange,
): Promise<StoredObservation[]> {
  const read = await readHistory(deps, runId, key, steps, NOT_THINNED);
  if (read.kind === "no run") {
    const found = await lookUpRun(deps, runId);
    if (found.kind === "away") throw notKnownNow(runId);
    return found.kind === "none" ? [] : pointsInMlflow(deps, runId, key, steps);
  }
  if (read.kind === "away")
    throw unavailable(`MLflow cannot be asked for this history just now: ${read.reason}`);
  return read.kind === "read" ? [...read.series.points].sort(compareInHistory) : [];
}

function inPart(points: readonly StoredObservation[], { offset, limit }: Part): StoredObservation[] {
  return points.slice(offset, offset + limit);
}
