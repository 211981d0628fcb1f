import * as z from "zod";
import type { Point } from "./run-trial.ts";

const LIMIT_MS = 30_000;

// MLflow writes 64-bit integers and special doubles as text, and leaves zeros out.
const Numeric = z.union([z.number(), z.string()]).default(0).transform(Number);
const Metric = z.object({ key: z.string(), value: Numeric, timestamp: Numeric, step: Numeric });
const History = z.object({ metrics: z.array(Metric).default([]) });

export type Confirmation = { confirmed: number; missing: number; unexpected: number };

/** Reads every metric's history of a run from MLflow and compares it with what was reported, point for point. */
export async function confirmRun(
  mlflow: string,
  headers: Record<string, string>,
  runId: string,
  points: Point[],
): Promise<Confirmation> {
  const found: string[] = [];
  for (const key of new Set(points.map((point) => point.key))) {
    const query = new URLSearchParams({ run_id: runId, metric_key: key });
    const response = await fetch(`${mlflow}/api/2.0/mlflow/metrics/get-history?${query}`, {
      headers,
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    if (!response.ok) throw new Error(`MLflow answers ${response.status} for the history of ${key}`);
    found.push(...History.parse(await response.json()).metrics.map(identity));
  }
  const expected = new Set(points.map(identity));
  const confirmed = new Set(found.filter((id) => expected.has(id))).size;
  return { confirmed, missing: expected.size - confirmed, unexpected: found.length - confirmed };
}

function identity({ key, step, timestamp, value }: Point): string {
  return `${key} ${step} ${timestamp} ${asStored(value)}`;
}

// MLflow's SQL stores keep infinities as the largest doubles.
function asStored(value: number): number {
  return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value));
}
