import type { Series } from "../../answers/trials.ts";
import { downsample } from "../../domain/downsample.ts";
import { toWire } from "../../domain/values.ts";
import type { Failure } from "../../mlflow/failure.ts";
import type { SeriesPoint, StepRange } from "../../store/views/points.ts";
import type { Deps } from "../deps.ts";

/**
 * A metric's history of a trial whose points were pruned here, read from MLflow, which was seen to have them all.
 * @returns null when MLflow has no such metric, or why it could not be asked
 */
export async function readOldSeries(
  mlflow: Deps["mlflow"],
  runId: string,
  key: string,
  range: StepRange,
  maxPoints: number,
): Promise<{ ok: true; value: Series | null } | { ok: false; failure: Failure }> {
  const points: SeriesPoint[] = [];
  let found = false;
  for await (const page of mlflow.metricHistory(runId, key)) {
    if (!page.ok) return page;
    found ||= page.value.length > 0;
    for (const { step, timestamp, value } of page.value) {
      const exact = Number(step);
      if (exact >= range.from && exact <= range.to)
        points.push({ step: exact, timestamp, value: toWire(value) });
    }
  }
  if (!found) return { ok: true, value: null };
  points.sort((a, b) => a.step - b.step || a.timestamp - b.timestamp);
  const value = {
    points: downsample(points, maxPoints),
    total: points.length,
    downsampled: points.length > maxPoints,
  };
  return { ok: true, value };
}
