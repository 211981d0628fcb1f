import * as z from "zod";
import { SYNC_STATES } from "../domain/words.ts";
import { modelRuns, trials } from "../store/schema.ts";
import { component } from "./components.ts";
import { STUDY } from "./examples.ts";
import type { Resource } from "./operation.ts";
import {
  count,
  delivery,
  folded,
  json,
  maybeNumber,
  maybeText,
  maybeTime,
  metricValue,
  nextCursor,
  paging,
  pathText,
  time,
  wordFilter,
} from "./parts.ts";

const listed = {
  model_run_id: z.string().describe("The trainer's own id."),
  state: z.enum(modelRuns.state.enumValues),
  run_name: maybeText,
  experiment_name: maybeText,
  requested_trials: maybeNumber,
  completed_trials: maybeNumber,
  search_space_version: maybeNumber,
  max_params: maybeNumber,
  best_metric: metricValue.nullable(),
  best_trial_id: maybeText,
  ...delivery,
  started_at: maybeTime,
  ended_at: maybeTime,
  created_at: time,
  updated_at: time,
};

const modelRunList = component(
  "ModelRunList",
  z.object({
    model_runs: z.array(component("ModelRunListed", z.object(listed))),
    next_cursor: nextCursor,
  }),
);

function counted(words: readonly string[]) {
  return z.object(Object.fromEntries(words.map((word) => [word, count])));
}

const modelRun = component(
  "ModelRun",
  z.object({
    ...listed,
    metadata: z.record(z.string(), json),
    ...folded,
    trials: z
      .object({
        total: count,
        by_status: counted(trials.status.enumValues),
        by_sync_state: counted(SYNC_STATES),
        by_spectral_norm: counted(["true", "false", "unknown"]),
      })
      .describe("The model run's trials, counted."),
    counts: z.object({ events: count, undelivered_events: count, dead_letters: count, conflicts: count }),
  }),
);

/** `/api/model-runs`: searches and studies. */
export const modelRunsResource: Resource = {
  name: "Model runs",
  description: "One search or study by a trainer; in MLflow the parent run of its trials.",
  operations: {
    "GET /api/model-runs": {
      id: "listModelRuns",
      summary: "List model runs",
      description: "Newest first.",
      scope: "read",
      parameters: [wordFilter("state", "The model run's state.", modelRuns.state.enumValues), ...paging],
      answers: { 200: { description: "A page of model runs.", schema: modelRunList } },
      refusals: [400],
    },
    "GET /api/model-runs/{id}": {
      id: "getModelRun",
      summary: "Read a model run",
      description: "All of one model run, and how its trials fare.",
      scope: "read",
      parameters: [pathText("id", "The trainer's id of the model run.", STUDY)],
      answers: { 200: { description: "The model run.", schema: modelRun } },
      refusals: [400, 404],
    },
  },
};
