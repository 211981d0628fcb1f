import type { LifecycleStage, RunStatus } from "./words.ts";

/** A run as MLflow's clients see it, in its parts. Times in epoch milliseconds. */

export type Pair = { key: string; value: string };
/** The latest value of a metric. */
export type Latest = { key: string; value: number; timestamp: number; step: number };

/** A run's own state, without its data. */
export type RunHead = {
  runId: string;
  experimentId: string;
  runName: string;
  userId: string;
  status: RunStatus;
  startTime: number;
  endTime: number | null;
  artifactUri: string;
  lifecycleStage: LifecycleStage;
};
