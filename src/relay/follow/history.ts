import type { Series } from "../../answers/trials.ts";
import { downsample } from "../../domain/downsample.ts";
import { MAX_STEP, MIN_STEP } from "../../domain/limits.ts";
import { toWire } from "../../domain/values.ts";
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
const KEPT_MS = 86_400_000;
const MAX_PRUNED_PAGES = 200;

/** `readAt`: when MLflow gave the points, epoch milliseconds. */
export type History =
  | { kind: "read"; series: Series; readAt: number }
  | { kind: "no run" | "no metric" }
  | { kind: "away"; reason: string };

/**
 * The history of a metric of any run in the mirror, within a range of steps, in order of step, then time, at most
 * `maxPoints` of it. It is read from MLflow and kept: for a run that has ended, until the run is seen to have changed
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
  const show = (points: SeriesPoint[], readAt: number): History => ({
    kind: "read",
    series: {
      points: downsample(points, maxPoints),
      total: points.length,
      downsampled: points.length > maxPoints,
    },
    readAt,
  });
  const fromCache = async ({ readAt, pages }: CachedHistory) => {
    const points = await readCached(deps.db, runId, key, { readAt, pages }, within(range));
    return points && show(points, readAt);
  };
  if (isFresh) {
    const shown = await fromCache(cached);
    if (shown) return shown;
  }
  const asked = await askMlflow(deps, runId, key);
  if (asked.ok && asked.points.length > 0) {
    await storeHistory(deps.db, runId, key, asked.points, asked.readAt);
    const isWithin = within(range);
    return show(
      asked.points.filter(({ step }) => isWithin(step)),
      asked.readAt,
    );
  }
  // Points do not vanish from a run; one that was deleted for good has none any more.
  const older = cached && (await fromCache(cached));
  if (older) return older;
  return asked.ok ? { kind: "no metric" } : { kind: "away", reason: asked.reason };
}

/** The widest range holds everything, also steps beyond what a double holds exactly. */
function within({ from, to }: StepRange): (step: number) => boolean {
  const least = from === MIN_STEP ? Number.NEGATIVE_INFINITY : from;
  const most = to === MAX_STEP ? Number.POSITIVE_INFINITY : to;
  return (step) => step >= least && step <= most;
}

type Asked = { ok: true; points: SeriesPoint[]; readAt: number } | { ok: false; reason: string };

async function askMlflow(deps: Pick<Deps, "mlflow" | "now">, runId: string, key: string): Promise<Asked> {
  const readAt = deps.now();
  const points: SeriesPoint[] = [];
  for await (const page of deps.mlflow.metricHistory(runId, key)) {
    if (!page.ok) return { ok: false, reason: page.failure.message };
    for (const { step, timestamp, value } of page.value)
      points.push({ step: Number(step), timestamp, value: toWire(value) });
  }
  points.sort((a, b) => a.step - b.step || a.timestamp - b.timestamp);
  return { ok: true, points, readAt };
}

/** Forgets what was read of MLflow more than a day ago, a bounded part of it at once; how many pages went. */
export async function pruneHistory({ db, now }: Pick<Deps, "db" | "now">): Promise<number> {
  return prune(db, now() - KEPT_MS, MAX_PRUNED_PAGES);
}
