import * as z from "zod";
import { refusal } from "../../answers/ledger.ts";
import { cronPass } from "../../answers/ops.ts";
import { count, maybeText, maybeTime, nextCursor } from "../../answers/parts.ts";
import { BREAKER_STATES } from "../../domain/words.ts";
import { ok, resource } from "../contract.ts";
import { limit, maybe, paging, someText } from "../door/query.ts";

const cronPasses = z.object({ cron_passes: z.array(cronPass) }).meta({ id: "CronPasses" });

const refusals = z.object({ refusals: z.array(refusal), next_cursor: nextCursor }).meta({ id: "Refusals" });

const breaker = z
  .object({
    server: z.string(),
    state: z.enum(BREAKER_STATES),
    failures: count.describe("In a row."),
    alarm: z.boolean().describe("Whether it looks like a wrong configuration."),
    opened_at: maybeTime,
    next_probe_at: maybeTime,
    last_error: maybeText,
  })
  .meta({ id: "Breaker" });
export type BreakerView = z.output<typeof breaker>;

const looked = z.object({
  reads: z.enum(["ok", "failed"]).describe("Whether MLflow answered a search."),
  writes: z
    .enum(["ok", "failed", "untold", "not tried"])
    .describe("Whether it took a tag on a run of the relay's; untold where there is no such run yet."),
  error: maybeText.describe("What it said where it did not."),
});
export type LookedView = z.output<typeof looked>;

const probed = z.object({ ...breaker.shape, ...looked.shape }).meta({ id: "ProbedBreaker" });

/** `/api/ops`: what was refused, and how the relay itself fares. */
export const ops = resource("Operations", "The cron, the breaker, and what was refused at the door.", {
  listCronPasses: {
    at: "GET /api/ops/cron-passes",
    summary: "List the cron's passes",
    description: "Newest first; the last 500 are kept.",
    scope: "admin",
    query: { limit },
    answers: ok("What each pass did.", cronPasses),
  },
  listRefusals: {
    at: "GET /api/ops/refusals",
    summary: "List what was refused",
    description:
      "What was refused at the door, the last first: one row for each token, trial, error, field and rule. Bounded in number (10,000) and age (14 days); of a flood not every kind is here, but each is counted in `/metrics`.",
    scope: "admin",
    query: {
      ...paging,
      model_run_id: maybe(someText, "Only those of a model run."),
      trial_id: maybe(someText, "Only those of a trial."),
      token_id: maybe(someText, "Only those with a token, by its public id."),
      error: maybe(someText, "Only those of a kind.", "validation_failed"),
    },
    answers: ok("A page of them.", refusals),
  },
  getBreaker: {
    at: "GET /api/ops/breaker",
    summary: "Read the circuit breaker",
    scope: "admin",
    query: {},
    answers: ok("Its state.", breaker),
  },
  probeBreaker: {
    at: "POST /api/ops/breaker/probe",
    summary: "Probe MLflow now",
    description:
      "Asks MLflow at once, whether or not a probe is due: one search, and one write that changes nothing of anybody's. Where both go well an open breaker is closed, and the trials that wait are woken.",
    scope: "admin",
    query: {},
    answers: ok("The breaker after it, and what was found.", probed),
    refusals: [409],
  },
});
