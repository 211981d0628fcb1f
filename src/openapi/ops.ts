import * as z from "zod";
import { component } from "./components.ts";
import type { Resource } from "./operation.ts";
import { count, limit, maybeText, maybeTime, time } from "./parts.ts";

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
        quiet_trials: count,
        orphaned_trials: count.describe("Closed, since their model run had ended and they were silent."),
        retired_trials: count,
        pruned_rows: count,
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

const breaker = component(
  "Breaker",
  z.object({
    server: z.string(),
    state: z.enum(["closed", "open"]),
    failures: count.describe("In a row."),
    alarm: z.boolean().describe("Whether it looks like a wrong configuration."),
    opened_at: maybeTime,
    next_probe_at: maybeTime,
    last_error: maybeText,
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
    "GET /api/ops/breaker": {
      id: "getBreaker",
      summary: "Read the circuit breaker",
      scope: "admin",
      answers: { 200: { description: "Its state.", schema: breaker } },
      refusals: [400],
    },
  },
};
