import type { LifecycleStage, ModelStatus, RunStatus } from "../domain/words.ts";

/** MLflow's records as the relay uses them: camelCase, absent scalars as null, absent lists as []. */

export type { LifecycleStage, RunStatus };

/** Which lifecycle stages a search covers. MLflow's own default is ACTIVE_ONLY. */
export type ViewType = "ACTIVE_ONLY" | "DELETED_ONLY" | "ALL";

/**
 * One point of a metric. `timestamp` is in ms since 1970; `step` is an int64 and a bigint only outside the safe
 * integers; `value` may be NaN or infinite.
 */
export type Metric = { key: string; value: number; timestamp: number; step: number | bigint };
export type Param = { key: string; value: string };
export type Tag = { key: string; value: string };

/** Times in ms since 1970. */
export type Experiment = {
  experimentId: string;
  name: string;
  artifactLocation: string | null;
  lifecycleStage: LifecycleStage;
  creationTime: number | null;
  lastUpdateTime: number | null;
  tags: Tag[];
};

/** Times in ms since 1970; `endTime` is null while the run has none. */
export type RunInfo = {
  runId: string;
  runName: string | null;
  experimentId: string;
  userId: string | null;
  status: RunStatus;
  startTime: number | null;
  endTime: number | null;
  artifactUri: string | null;
  lifecycleStage: LifecycleStage;
};

/** A data set that a run was given; the tags are of its use in this run. */
export type Dataset = {
  name: string;
  digest: string;
  sourceType: string;
  source: string;
  schema: string | null;
  profile: string | null;
  tags: Tag[];
};

/** `data.metrics` holds the latest point of each key: the greatest by (step, timestamp, value). */
export type Run = {
  info: RunInfo;
  data: { metrics: Metric[]; params: Param[]; tags: Tag[] };
  inputs: { datasets: Dataset[]; modelIds: string[] };
  /** The models that it made. */
  outputs: { modelId: string; step: number }[];
};

/** A model that was logged to an experiment; times in ms since 1970. Its metrics are left out. */
export type LoggedModel = {
  modelId: string;
  experimentId: string;
  name: string;
  modelType: string;
  sourceRunId: string | null;
  status: ModelStatus;
  artifactUri: string;
  creationTime: number;
  lastUpdateTime: number;
  tags: Tag[];
  params: Param[];
};

/** A logged model as MLflow shows it, with the fields that are looked at. */
export type ShownModel = {
  info: {
    [field: string]: unknown;
    model_id: string;
    creation_timestamp_ms: number;
    tags?: Tag[] | undefined;
  };
  data: {
    [field: string]: unknown;
    metrics: {
      [field: string]: unknown;
      key: string;
      value: number;
      timestamp: number;
      step: number;
      run_id?: string | undefined;
      dataset_name?: string | undefined;
      dataset_digest?: string | undefined;
    }[];
  };
};

/** A file or directory of a run's; `path` from the run's root, `bytes` null for a directory, and where
 * MLflow says nothing: of empty files. */
export type Artifact = { path: string; isDir: boolean; bytes: number | null };

/** A page of a search or history; `nextPageToken` is null on the last one. */
export type Page<T> = { items: T[]; nextPageToken: string | null };
