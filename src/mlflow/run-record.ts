import * as z from "zod";
import { LIFECYCLE_STAGES, RUN_STATUSES } from "../domain/words.ts";
import { int64, listOf, metric, optionalText, optionalTime, pair } from "./fields.ts";
import type { Dataset, Run, RunInfo } from "./types.ts";

/** A run in MLflow's answers -> our record. */

/** What a run is, without its data. */
export const runInfoRecord = z
  .object({
    run_id: z.string(),
    run_name: optionalText,
    experiment_id: z.string(),
    user_id: optionalText,
    status: z.enum(RUN_STATUSES),
    start_time: optionalTime,
    end_time: optionalTime,
    artifact_uri: optionalText,
    lifecycle_stage: z.enum(LIFECYCLE_STAGES),
  })
  .transform(
    (r): RunInfo => ({
      runId: r.run_id,
      runName: r.run_name,
      experimentId: r.experiment_id,
      userId: r.user_id,
      status: r.status,
      startTime: r.start_time,
      endTime: r.end_time || null, // SQL stores answer 0 for "none"
      artifactUri: r.artifact_uri,
      lifecycleStage: r.lifecycle_stage,
    }),
  );

const runData = z.object({ metrics: listOf(metric), params: listOf(pair), tags: listOf(pair) });
const NO_DATA = { metrics: [], params: [], tags: [] };

const datasetInput = z
  .object({
    tags: listOf(pair),
    dataset: z.object({
      name: z.string(),
      digest: z.string(),
      source_type: z.string().default(""),
      source: z.string().default(""),
      schema: optionalText,
      profile: optionalText,
    }),
  })
  .transform(
    ({ tags, dataset: { source_type, ...dataset } }): Dataset => ({
      ...dataset,
      sourceType: source_type,
      tags,
    }),
  );
const modelInput = z.object({ model_id: z.string() }).transform((m) => m.model_id);
const modelOutput = z
  .object({ model_id: z.string(), step: int64.transform(Number).default(0) })
  .transform((m) => ({ modelId: m.model_id, step: m.step }));

/** A run with all that it has. */
export const runRecord = z
  .object({
    info: runInfoRecord,
    data: runData.optional(),
    inputs: z.object({ dataset_inputs: listOf(datasetInput), model_inputs: listOf(modelInput) }).optional(),
    outputs: z.object({ model_outputs: listOf(modelOutput) }).optional(),
  })
  .transform(
    ({ info, data, inputs, outputs }): Run => ({
      info,
      data: data ?? NO_DATA,
      inputs: { datasets: inputs?.dataset_inputs ?? [], modelIds: inputs?.model_inputs ?? [] },
      outputs: outputs?.model_outputs ?? [],
    }),
  );
