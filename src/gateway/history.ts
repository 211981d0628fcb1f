import { MAX_STEP, MIN_STEP } from "../domain/limits.ts";
import { compareInHistory } from "../domain/observations.ts";
import type { Deps } from "../relay/deps.ts";
import { readHistory } from "../relay/follow/history.ts";
import { historyPage, type StoredObservation } from "../store/gateway/history.ts";
import { type KnownRun, runById } from "../store/gateway/runs.ts";
import { bulkAnswer, historyAnswer, intervalAnswer } from "./answers/history.ts";
import { intervalOf } from "./answers/interval.ts";
import { unavailable } from "./keep.ts";
import { lookUpRun } from "./lookup.ts";
import type { BulkHistory, History, IntervalHistory } from "./requests/histories.ts";
import { notKnownNow } from "./run-for-write.ts";

/** Metric histories for MLflow's clients: what was logged a moment ago is there. */

/** More points than this are no answer that a Worker could hold. */
const MAX_POINTS = 250_000;
const EVERY_STEP = { from: MIN_STEP, to: MAX_STEP };

/** The answer to `metrics/get-history`. A run that nobody knows has no points, as in MLflow. */
export async function getHistory(deps: Deps, asked: History): Promise<object> {
  const { offset, maxResults } = asked;
  const limit = Math.min(maxResults ?? MAX_POINTS, MAX_POINTS);
  const points = await pointsOf(deps, asked.runId, asked.metricKey, { offset, limit: limit + 1 });
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
    const own = await pointsOf(deps, runId, metricKey, { offset: 0, limit: left });
    points.push(...named(metricKey, own).map((point) => ({ ...point, runId })));
  }
  return bulkAnswer(points);
}

/** The answer to `metrics/get-history-bulk-interval`: a sample of each run's points. */
export async function getIntervalHistory(
  deps: Deps,
  { runIds, metricKey, steps, maxResults }: IntervalHistory,
): Promise<object> {
  const histories = [];
  let left = MAX_POINTS;
  for (const runId of new Set(runIds)) {
    const points = await pointsOf(deps, runId, metricKey, { offset: 0, limit: left });
    left -= points.length;
    histories.push({ runId, points: named(metricKey, points) });
  }
  return intervalAnswer(intervalOf(histories, steps, maxResults));
}

function named(key: string, points: readonly StoredObservation[]) {
  return points.map((point) => ({ key, ...point }));
}

type Window = { offset: number; limit: number };

async function pointsOf(
  deps: Deps,
  asked: string,
  key: string,
  window: Window,
): Promise<StoredObservation[]> {
  const known = await runById(deps.db, asked);
  if (known === null) return inWindow(await pointsInMlflow(deps, asked, key), window);
  if (!known.hasPointsElsewhere) return historyPage(deps.db, known.streamId, key, window);
  return inWindow(await withElsewhere(deps, known, key), window);
}

/** What is here and what MLflow has beside it; while it is away what was read of it before. */
async function withElsewhere(
  deps: Deps,
  { streamId, mlflowRunId }: KnownRun,
  key: string,
): Promise<StoredObservation[]> {
  const own = await historyPage(deps.db, streamId, key, { offset: 0, limit: MAX_POINTS });
  if (mlflowRunId === null) return own;
  const read = await readHistory(deps, mlflowRunId, key, EVERY_STEP, MAX_POINTS);
  if (read.kind === "away" && own.length === 0)
    throw unavailable(`MLflow cannot be asked for this history just now: ${read.reason}`);
  const there = read.kind === "read" ? read.series.points : [];
  const identity = ({ step, timestamp, value }: StoredObservation) => `${step} ${timestamp} ${value}`;
  return [...new Map([...there, ...own].map((point) => [identity(point), point])).values()].sort(
    compareInHistory,
  );
}

/** Of a run that the relay has no stream for. */
async function pointsInMlflow(deps: Deps, runId: string, key: string): Promise<StoredObservation[]> {
  const read = await readHistory(deps, runId, key, EVERY_STEP, MAX_POINTS);
  if (read.kind === "no run") {
    const found = await lookUpRun(deps, runId);
    if (found.kind === "away") throw notKnownNow(runId);
    return found.kind === "none" ? [] : pointsInMlflow(deps, runId, key);
  }
  if (read.kind === "away")
    throw unavailable(`MLflow cannot be asked for this history just now: ${read.reason}`);
  return read.kind === "read" ? [...read.series.points].sort(compareInHistory) : [];
}

function inWindow(points: readonly StoredObservation[], { offset, limit }: Window): StoredObservation[] {
  return points.slice(offset, offset + limit);
}
