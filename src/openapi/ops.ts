import * as z from "zod";
import { component } from "./components.ts";
import type { Resource } from "./operation.ts";
import { count, limit, maybeText, maybeTime, time } from "./parts.ts";
import { listRefusals } from "./refusals.ts";

const cronPasses = component(
  "CronPasses",
  z.object({
    cron_passes: z.array(
      z.object({
        started_at: time,
        finished_at: time,
        poked_trials: count,
        settled_creates: count,
        deleted_doubles: count,
        confirmed_trials: count,
        resent_trials: count,
        quiet_trials: count,
        orphaned_trials: count.describe("Closed, since their model run had ended and they were silent."),
        retired_trials: count,
        pruned_rows: count,
        forgotten_rows: count.describe(
          "Identities of what was pruned long ago, and old settled dead letters.",
        ),
        poked_jobs: count,
        summarized_model_runs: count,
        pruned_history_pages: count,
        watched_experiments: count,
        pulled_runs: count,
        changed_runs: count,
        merged_runs: count,
        merge_conflicts: count,
        unblocked_trials: count,
        probe: z.enum(["closed", "open", "not due"]).describe("What became of the breaker's probe."),
        error: maybeText,
      }),
    ),
  }),
);

const breakerFields = {
  server: z.string(),
  state: z.enum(["closed", "open"]),
  failures: count.describe("In a row."),
  alarm: z.boolean().describe("Whether it looks like a wrong configuration."),
  opened_at: maybeTime,
  next_probe_at: maybeTime,
  last_error: maybeText,
};

const breaker = component("Breaker", z.object(breakerFields));

const probed = component(
  "ProbedBreaker",
  z.object({
    ...breakerFields,
    reads: z.enum(["ok", "failed"]).describe("Whether MLflow answered a search."),
    writes: z
      .enum(["ok", "failed", "untold", "not tried"])
      .describe("Whether it took a tag on a run of the relay's; untold where there is no such run yet."),
    error: maybeText.describe("What it said where it did not."),
  }),
);

/** `/api/ops`: what went wrong, and how the relay itself fares. */
export const opsResource: Resource = {
  name: "Operations",
  description: "The cron and the breaker.",
  operations: {
    "GET /api/ops/cron-passes": {
      id: "listCronPasses",
      summary: "List the cron's passes",
      description: "Newest first; the last 500 are kept.",
      scope: "admin",
      parameters: [limit],
      answers: { 200: { description: "What each pass did.", schema: cronPasses } },
      refusals: [400],
    },
    "GET /api/ops/refusals": listRefusals,
    "GET /api/ops/breaker": {
      id: "getBreaker",
      summary: "Read the circuit breaker",
      scope: "admin",
      answers: { 200: { description: "Its state.", schema: breaker } },
      refusals: [400],
    },
    "POST /api/ops/breaker/probe": {
      id: "probeBreaker",
      summary: "Probe MLflow now",
      description:
        "Asks MLflow at once, whether or not a probe is due: one search, and one write that changes nothing of anybody's. Where both go well an open breaker is closed, and the trials that wait are woken.",
      scope: "admin",
      answers: { 200: { description: "The breaker after it, and what was found.", schema: probed } },
      refusals: [400, 409],
    },
  },
};
