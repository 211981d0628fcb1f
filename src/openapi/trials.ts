import { SYNC_STATES } from "../domain/words.ts";
import { SORT_COLUMNS } from "../store/read-trials.ts";
import { trials } from "../store/schema.ts";
import { METRIC, STUDY } from "./examples.ts";
import { getLedger, getVerdict } from "./ledger.ts";
import type { Resource } from "./operation.ts";
import { paging, seriesParameters, textFilter, trialId, wordFilter } from "./parts.ts";
import { series, summaries, trial, trialList } from "./trial-answers.ts";

/** `/api/trials`: trials and their metrics. */
export const trialsResource: Resource = {
  name: "Trials",
  description: "One training within a model run. What was acknowledged is here at once, delivered or not.",
  operations: {
    "GET /api/trials": {
      id: "listTrials",
      summary: "List trials",
      scope: "read",
      parameters: [
        textFilter("model_run_id", "The trainer's id of the model run.", STUDY),
        textFilter("trial_id", "The trainer's id of the trial."),
        wordFilter("status", "The trial's status.", trials.status.enumValues),
        wordFilter("sync_state", "How far it is on its way to MLflow.", SYNC_STATES),
        wordFilter("spectral_norm", "Whether spectral normalisation is on.", ["true", "false"]),
        textFilter("experiment_name", "The MLflow experiment by name."),
        {
          name: "sort",
          in: "query",
          description: `${SORT_COLUMNS.map((name) => `\`${name}\``).join(", ")} or \`metrics.<key>\` (last value), with \`-\` before it for descending.`,
          schema: { type: "string", default: "-created_at" },
          example: `-metrics.${METRIC}`,
        },
        ...paging,
      ],
      answers: { 200: { description: "A page of trials.", schema: trialList } },
      refusals: [400],
    },
    "GET /api/trials/{id}": {
      id: "getTrial",
      summary: "Read a trial",
      description: "All of one trial, up to the last acknowledged event.",
      scope: "read",
      parameters: [trialId],
      answers: { 200: { description: "The trial.", schema: trial } },
      refusals: [400, 404],
    },
    "GET /api/trials/{id}/metrics": {
      id: "getTrialMetrics",
      summary: "Summarise a trial's metrics",
      scope: "read",
      parameters: [trialId],
      answers: { 200: { description: "Last, least and greatest value by metric.", schema: summaries } },
      refusals: [400, 404],
    },
    "GET /api/trials/{id}/metrics/{key}": {
      id: "getMetricHistory",
      summary: "Read a metric's history",
      scope: "read",
      parameters: [trialId, ...seriesParameters],
      answers: {
        200: {
          description: "The points in order of step, then time.",
          schema: series,
          examples: {
            history: {
              summary: "One point",
              value: {
                key: METRIC,
                points: [{ step: 1, timestamp: Date.UTC(2026, 10, 3, 9, 30), value: 0.5 }],
                total: 1,
                downsampled: false,
              },
            },
          },
        },
      },
      refusals: [400, 404],
    },
    "GET /api/trials/{id}/ledger": getLedger,
    "GET /api/trials/{id}/verdict": getVerdict,
  },
};
