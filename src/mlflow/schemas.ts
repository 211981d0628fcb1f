import * as z from "zod";
import { LIFECYCLE_STAGES, MODEL_STATUSES } from "../domain/words.ts";
import { double, int64, listOf, metric, optionalText, optionalTime, pair, time } from "./fields.ts";
import { runInfoRecord, runRecord } from "./run-record.ts";
import type { Artifact, Experiment, LoggedModel, Metric, Page, Run, ShownModel } from "./types.ts";

/** MLflow's answers -> our records. Unknown fields are ignored, and lists that are empty may be absent. */

const experimentRecord = z
  .object({
    experiment_id: z.string(),
    name: z.string(),
    artifact_location: optionalText,
    lifecycle_stage: z.enum(LIFECYCLE_STAGES),
    creation_time: optionalTime,
    last_update_time: optionalTime,
    tags: listOf(pair),
  })
  .transform(
    (e): Experiment => ({
      experimentId: e.experiment_id,
      name: e.name,
      artifactLocation: e.artifact_location,
      lifecycleStage: e.lifecycle_stage,
      creationTime: e.creation_time,
      lastUpdateTime: e.last_update_time,
      tags: e.tags,
    }),
  );

const modelInfo = z.object({
  model_id: z.string().min(1),
  experiment_id: z.string(),
  name: z.string().default(""),
  model_type: z.string().default(""),
  source_run_id: optionalText,
  status: z.enum(MODEL_STATUSES).default("LOGGED_MODEL_PENDING"),
  artifact_uri: z.string().default(""),
  creation_timestamp_ms: time,
  last_updated_timestamp_ms: time,
  tags: listOf(pair),
});

const modelRecord = z
  .object({ info: modelInfo, data: z.object({ params: listOf(pair) }).optional() })
  .transform(
    ({ info, data }): LoggedModel => ({
      modelId: info.model_id,
      experimentId: info.experiment_id,
      name: info.name,
      modelType: info.model_type,
      sourceRunId: info.source_run_id || null,
      status: info.status,
      artifactUri: info.artifact_uri,
      creationTime: info.creation_timestamp_ms,
      lastUpdateTime: info.last_updated_timestamp_ms,
      tags: info.tags,
      params: data?.params ?? [],
    }),
  );

const nextPageToken = z
  .string()
  .nullish()
  .transform((token) => token || null);

/** A page of a list; one without the list but with something else is another call's answer. */
function pageOf(list: string) {
  const isPage = (answer: object) =>
    list in answer || Object.keys(answer).every((field) => field === "next_page_token");
  return z.looseObject({}).refine(isPage, `has no ${list}`);
}

/** The whole answer of a call that gives nothing back, exactly. */
export const nothing = z.strictObject({}).transform((): void => undefined);
export const createdExperiment = z
  .object({ experiment_id: z.string().min(1) })
  .transform((r) => r.experiment_id);
export const oneExperiment = z.object({ experiment: experimentRecord }).transform((r) => r.experiment);
export const oneRun = z.object({ run: runRecord }).transform((r) => r.run);
export const updatedRun = z.object({ run_info: runInfoRecord }).transform((r) => r.run_info);
export const experimentPage = pageOf("experiments")
  .pipe(z.object({ experiments: listOf(experimentRecord), next_page_token: nextPageToken }))
  .transform((r): Page<Experiment> => ({ items: r.experiments, nextPageToken: r.next_page_token }));
export const runPage = pageOf("runs")
  .pipe(z.object({ runs: listOf(runRecord), next_page_token: nextPageToken }))
  .transform((r): Page<Run> => ({ items: r.runs, nextPageToken: r.next_page_token }));
export const metricPage = pageOf("metrics")
  .pipe(z.object({ metrics: listOf(metric), next_page_token: nextPageToken }))
  .transform((r): Page<Metric> => ({ items: r.metrics, nextPageToken: r.next_page_token }));

export const oneModel = z.object({ model: modelRecord }).transform((r) => r.model);
export const modelPage = pageOf("models")
  .pipe(z.object({ models: listOf(modelRecord), next_page_token: nextPageToken }))
  .transform((r): Page<LoggedModel> => ({ items: r.models, nextPageToken: r.next_page_token }));

const artifactRecord = z
  .object({ path: z.string(), is_dir: z.boolean().default(false), file_size: int64.nullish() })
  .transform(
    (a): Artifact => ({
      path: a.path,
      isDir: a.is_dir,
      bytes: a.is_dir || a.file_size == null ? null : Number(a.file_size),
    }),
  );
const shownModel = z
  .object({
    info: z.looseObject({
      model_id: z.string().min(1),
      creation_timestamp_ms: time,
      tags: z.array(pair).optional(),
    }),
    data: z
      .looseObject({
        metrics: listOf(
          z.looseObject({
            key: z.string(),
            value: double,
            timestamp: time,
            step: int64.transform(Number).default(0),
            run_id: z.string().optional(),
            dataset_name: z.string().optional(),
            dataset_digest: z.string().optional(),
          }),
        ),
      })
      .optional(),
  })
  .transform(({ info, data }): ShownModel => ({ info, data: data ?? { metrics: [] } }));
export const oneShownModel = z.object({ model: shownModel }).transform((r) => r.model);
export const shownModelPage = pageOf("models")
  .pipe(z.object({ models: listOf(shownModel), next_page_token: nextPageToken }))
  .transform((r): Page<ShownModel> => ({ items: r.models, nextPageToken: r.next_page_token }));

/** Of a directory of the artifact store, names relative to it. */
export const storePage = pageOf("files")
  .pipe(z.object({ files: listOf(artifactRecord) }))
  .transform((r) => r.files);
export const artifactPage = z
  .object({ root_uri: z.string(), files: listOf(artifactRecord), next_page_token: nextPageToken })
  .transform((r): Page<Artifact> => ({ items: r.files, nextPageToken: r.next_page_token }));
