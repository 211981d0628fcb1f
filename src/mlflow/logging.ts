import { checked, time, write } from "./calls.ts";
import type { Result } from "./failure.ts";
import type { Send } from "./http.ts";
import { nothing } from "./schemas.ts";
import type { Metric, Param, Tag } from "./types.ts";

/** At most 1000 metrics, 100 params, 100 tags and 1000 items in all. */
export type Batch = { runId: string; metrics: Metric[]; params: Param[]; tags: Tag[] };

export function loggingCalls(send: Send) {
  return {
    logMetric: ({ runId, key, value, timestamp, step }: Metric & { runId: string }): Promise<Result<void>> =>
      checked(point({ key, value, timestamp, step })) ??
      send(write("runs/log-metric", nothing, { run_id: runId, key, value, timestamp, step })),

    logParameter: ({ runId, key, value }: Param & { runId: string }): Promise<Result<void>> =>
      send(write("runs/log-parameter", nothing, { run_id: runId, key, value })),

    setTag: ({ runId, key, value }: Tag & { runId: string }): Promise<Result<void>> =>
      send(write("runs/set-tag", nothing, { run_id: runId, key, value })),

    /** Without such a tag: "missing". */
    deleteTag: ({ runId, key }: { runId: string; key: string }): Promise<Result<void>> =>
      send(write("runs/delete-tag", nothing, { run_id: runId, key })),

    /** The same again is stored once. `input`: MLflow's JSON of a dataset and the tags of its use, or of a model's id. */
    logInput: ({ runId, input }: { runId: string; input: object }): Promise<Result<void>> => {
      const of = "model_id" in input ? "models" : "datasets";
      return send(write("runs/log-inputs", nothing, { run_id: runId, [of]: [input] }));
    },

    /** MLflow writes params, then metrics, then tags, in separate transactions. */
    logBatch: ({ runId, metrics, params, tags }: Batch): Promise<Result<void>> =>
      checked(metrics.flatMap(point)) ??
      send(write("runs/log-batch", nothing, { run_id: runId, metrics, params, tags })),
  };
}

const INT64_MAX = 2n ** 63n - 1n;

function point({ key, timestamp, step }: Metric): string[] {
  const exact =
    typeof step === "bigint" ? step >= -INT64_MAX - 1n && step <= INT64_MAX : Number.isSafeInteger(step);
  return [
    time(`timestamp of metric ${key}`, timestamp),
    timestamp < 0 ? `The timestamp of metric ${key} is before 1970` : "",
    exact ? "" : `The step of metric ${key} is not an int64`,
  ];
}
