import type { Series } from "../../answers/trials.ts";
import { downsample } from "../../domain/downsample.ts";
import { MAX_STEP, MIN_STEP } from "../../domain/limits.ts";
import { toWire } from "../../domain/values.ts";
import type { Result } from "../../mlflow/failure.ts";
import { pruneOverviews } from "../../store/views/curve-overviews.ts";
import {
  type CachedHistory,
  cachedHistory,
  pruneHistory as prune,
  readCached,
  storeHistory,
} from "../../store/views/history.ts";
import type { SeriesPoint, StepRange } from "../../store/views/points.ts";
import type { Deps } from "../deps.ts";

/** How long a history of a run that may still grow is shown without asking MLflow again. */
const FRESH_MS = 30_000;
const PRUNED_AFTER_MS = 86_400_000;
const MAX_PRUNED_PAGES = 200;

/** `readAt`: when MLflow gave the points, epoch milliseconds. */
export type History =
  | { kind: "read"; series: Series; readAt: number }
  | { kind: "no run" | "no metric" }
  | { kind: "away"; reason: string };

/**
 * The history of a metric of any run in the mirror, within a range of steps, in order of step, then time, at most
 * `maxPoints` of it. It is read from MLflow and remembered: for a run that has ended, until it is seen to have changed
 * or the page is pruned; for others a short while. While MLflow is away an older one is shown.
 */
export async function readHistory(
  deps: Pick<Deps, "db" | "mlflow" | "now">,
  runId: string,
  key: string,
  range: StepRange,
  maxPoints: number,
): Promise<History> {
  const known = await cachedHistory(deps.db, runId, key);
  if (!known) return { kind: "no run" };
  const { cached, status, syncedAt } = known;
  const hasEnded = status !== "RUNNING" && status !== "SCHEDULED";
  const isFresh =
    cached !== null && ((hasEnded && syncedAt < cached.readAt) || deps.now() - cached.readAt < FRESH_MS);
  const fromCache = async ({ readAt, pages }: CachedHistory) => {
    const points = await readCached(deps.db, runId, key, { readAt, pages }, isIn(range));
    return points && { kind: "read" as const, series: thinned(points, maxPoints), readAt };
  };
  if (isFresh) {
    const shown = await fromCache(cached);
    if (shown) return shown;
  }
  const readAt = deps.now();
  const asked = await wholeHistory(deps.mlflow, runId, key);
  if (asked.ok && asked.value.length > 0) {
    await storeHistory(deps.db, runId, key, asked.value, readAt);
    return { kind: "read", series: seriesOf(asked.value, range, maxPoints), readAt };
  }
  // Points do not vanish from a run; one that was deleted for good has none any more.
  const older = cached && (await fromCache(cached));
  if (older) return older;
  return asked.ok ? { kind: "no metric" } : { kind: "away", reason: asked.failure.message };
}

/**
 * The same of a trial whose points were pruned here, always from MLflow, which was seen to have them all.
 * @returns null when MLflow has no such metric, or why it could not be asked
 */
export async function readOldSeries(
  mlflow: Deps["mlflow"],
  runId: string,
  key: string,
  range: StepRange,
  maxPoints: number,
): Promise<Result<Series | null>> {
  const read = await wholeHistory(mlflow, runId, key);
  if (!read.ok) return read;
  return { ok: true, value: read.value.length === 0 ? null : seriesOf(read.value, range, maxPoints) };
}

/** All points of a metric of a run, in order of step, then time; none where MLflow does not know it. */
async function wholeHistory(
  mlflow: Deps["mlflow"],
  runId: string,
  key: string,
): Promise<Result<SeriesPoint[]>> {
  const points: SeriesPoint[] = [];
  for await (const page of mlflow.metricHistory(runId, key)) {
    if (!page.ok) return page;
    for (const { step, timestamp, value } of page.value)
      points.push({ step: Number(step), timestamp, value: toWire(value) });
  }
  points.sort((a, b) => a.step - b.step || a.timestamp - b.timestamp);
  return { ok: true, value: points };
}

function seriesOf(points: readonly SeriesPoint[], range: StepRange, maxPoints: number): Series {
  const isInRange = isIn(range);
  return thinned(
    points.filter(({ step }) => isInRange(step)),
    maxPoints,
  );
}

function thinned(points: SeriesPoint[], maxPoints: number): Series {
  return {
    points: downsample(points, maxPoints),
    total: points.length,
    downsampled: points.length > maxPoints,
  };
}

/** The widest range holds everything, also steps beyond what a double holds exactly. */
function isIn({ from, to }: StepRange): (step: number) => boolean {
  const least = from === MIN_STEP ? Number.NEGATIVE_INFINITY : from;
  const most = to === MAX_STEP ? Number.POSITIVE_INFINITY : to;
  return (step) => step >= least && step <= most;
}

/** Forgets what was read of MLflow, or thinned, more than a day ago, a bounded part of it at once; how many rows went. */
export async function pruneHistory({ db, now }: Pick<Deps, "db" | "now">): Promise<number> {
  const before = now() - PRUNED_AFTER_MS;
  return (await prune(db, before, MAX_PRUNED_PAGES)) + (await pruneOverviews(db, before, MAX_PRUNED_PAGES));
}
