import * as z from "zod";
import { ledgerEntry, ledgerTotals, refusal } from "../../answers/ledger.ts";
import { folded, maybeText, maybeTime, nextCursor } from "../../answers/parts.ts";
import { report } from "../../answers/report.ts";
import { series, trial, trialListed, verdictBrief } from "../../answers/trials.ts";
import { keyProblem } from "../../domain/limits.ts";
import { LEDGER_STATES, SYNC_STATES, TRIAL_STATUSES } from "../../domain/words.ts";
import { SORT_COLUMNS, type TrialSort } from "../../store/views/trial-order.ts";
import { documented, ok, resource } from "../contract.ts";
import { maybe, oneOf, paging, seriesQuery, someText, yesOrNo } from "../door/query.ts";
import { METRIC, metricKey, STUDY, trialId } from "../examples.ts";

const METRIC_PREFIX = "metrics.";
const SORT_RULE = `must be one of ${SORT_COLUMNS.join(", ")} or metrics.<key>, with - before it for descending`;

const sort = z
  .string()
  .transform((text, context): TrialSort => {
    const descending = text.startsWith("-");
    const name = descending ? text.slice(1) : text;
    const column = SORT_COLUMNS.find((known) => known === name);
    if (column) return { column, descending };
    const metric = name.slice(METRIC_PREFIX.length);
    if (name.startsWith(METRIC_PREFIX) && keyProblem(metric) === null) return { metric, descending };
    context.addIssue({ code: "custom", message: SORT_RULE });
    return z.NEVER;
  })
  .default({ column: "created_at", descending: true })
  .register(documented, { as: { type: "string", default: "-created_at" } })
  .meta({
    description: `${SORT_COLUMNS.map((name) => `\`${name}\``).join(", ")} or \`metrics.<key>\` (last value), with \`-\` before it for descending.`,
    example: `-metrics.${METRIC}`,
  });

const trialList = z
  .object({ trials: z.array(trialListed), next_cursor: nextCursor })
  .meta({ id: "TrialList" });

const summaries = z.object({ metrics: folded.shape.metrics }).meta({ id: "MetricSummaries" });

const history = z.object({ key: z.string(), ...series.shape }).meta({ id: "MetricHistory" });

/** Which trial an answer is about. */
const whose = { id: z.string(), model_run_id: maybeText, trial_id: z.string() };

const ledger = z
  .object({
    ...whose,
    pruned_at: maybeTime.describe("When older events were pruned, since MLflow was seen to have them all."),
    totals: ledgerTotals,
    events: z.array(ledgerEntry),
    refusals: z.array(refusal).describe("What was refused of it last, up to twenty."),
    next_cursor: nextCursor,
  })
  .meta({ id: "Ledger" });

const verdict = z.object({ ...whose, ...verdictBrief.shape, report }).meta({ id: "Verdict" });

const ONE_POINT = {
  key: METRIC,
  points: [{ step: 1, timestamp: Date.UTC(2026, 10, 3, 9, 30), value: 0.5 }],
  total: 1,
  downsampled: false,
};

/** `/api/trials`: the list, one trial with everything of it, its metrics, and what became of its events. */
export const trials = resource(
  "Trials",
  "One training within a model run. What was acknowledged is here at once, delivered or not.",
  {
    listTrials: {
      at: "GET /api/trials",
      summary: "List trials",
      scope: "read",
      query: {
        ...paging,
        model_run_id: maybe(someText, "The trainer's id of the model run.", STUDY),
        trial_id: maybe(someText, "The trainer's id of the trial."),
        status: maybe(oneOf(TRIAL_STATUSES), "The trial's status."),
        sync_state: maybe(oneOf(SYNC_STATES), "How far it is on its way to MLflow."),
        spectral_norm: maybe(yesOrNo, "Whether spectral normalisation is on."),
        experiment_name: maybe(someText, "The MLflow experiment by name."),
        sort,
      },
      answers: ok("A page of trials.", trialList),
    },
    getTrial: {
      at: "GET /api/trials/:id",
      summary: "Read a trial",
      description: "All of one trial, up to the last acknowledged event.",
      scope: "read",
      path: trialId,
      query: {},
      answers: ok("The trial.", trial),
      refusals: [404],
    },
    getTrialMetrics: {
      at: "GET /api/trials/:id/metrics",
      summary: "Summarise a trial's metrics",
      scope: "read",
      path: trialId,
      query: {},
      answers: ok("Last, least and greatest value by metric.", summaries),
      refusals: [404],
    },
    getMetricHistory: {
      at: "GET /api/trials/:id/metrics/:key{.+}",
      summary: "Read a metric's history",
      scope: "read",
      path: { ...trialId, ...metricKey },
      query: seriesQuery,
      answers: ok("The points in order of step, then time.", history, {
        history: { summary: "One point", value: ONE_POINT },
      }),
      refusals: [404],
    },
    getLedger: {
      at: "GET /api/trials/:id/ledger",
      summary: "Trace a trial's events",
      description: "What became of each event, in the order of acceptance.",
      scope: "read",
      path: trialId,
      query: {
        ...paging,
        state: maybe(oneOf(LEDGER_STATES), "What became of the event."),
        event_id: maybe(someText, "One event by its id."),
      },
      answers: ok("A page of the ledger.", ledger),
      refusals: [404],
    },
    getVerdict: {
      at: "GET /api/trials/:id/verdict",
      summary: "Read the last verdict on a trial",
      description: "What the last reading back of MLflow found; 404 before the first.",
      scope: "read",
      path: trialId,
      query: {},
      answers: ok("The verdict with its report.", verdict),
      refusals: [404],
    },
  },
);
