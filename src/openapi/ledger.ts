import * as z from "zod";
import { LEDGER_STATES } from "../domain/words.ts";
import { conflicts, deadLetters, verdicts } from "../store/schema.ts";
import { component } from "./components.ts";
import type { Operation } from "./operation.ts";
import {
  count,
  json,
  maybeText,
  maybeTime,
  nextCursor,
  paging,
  textFilter,
  time,
  trialId,
  warnings,
  wordFilter,
} from "./parts.ts";
import { refusal } from "./refusals.ts";
import { report } from "./reports.ts";

const entry = component(
  "LedgerEntry",
  z.object({
    seq: count.describe("Its place in the order of acceptance, over all trials."),
    event_id: z.string(),
    type: z.string().describe("The event's type; `relay.…` for what the relay itself found out."),
    correlation_id: z.string(),
    occurred_at: time,
    accepted_at: time,
    delivered_by: maybeTime.describe("When MLflow had it at the latest."),
    confirmed_at: maybeTime.describe("When it was read back from MLflow."),
    repeats: count.describe("How often it was sent again."),
    points: count,
    state: z.enum(LEDGER_STATES),
    warnings,
    conflicts: z.array(
      z.object({
        id: z.int(),
        kind: z.enum(conflicts.kind.enumValues),
        field: maybeText,
        kept: maybeText,
        refused: z.string(),
        created_at: time,
      }),
    ),
    dead_letters: z.array(
      z.object({
        id: z.int(),
        kind: z.enum(deadLetters.kind.enumValues),
        item: json,
        reason: maybeText,
        state: z.enum(deadLetters.state.enumValues),
        created_at: time,
      }),
    ),
  }),
);

const ledger = component(
  "Ledger",
  z.object({
    id: z.string(),
    model_run_id: maybeText,
    trial_id: z.string(),
    pruned_at: maybeTime.describe("When older events were pruned, since MLflow was seen to have them all."),
    totals: z.object({
      accepted: count,
      delivered: count,
      confirmed: count,
      duplicates: count,
      conflicting: count,
      dead: count,
    }),
    events: z.array(entry),
    refusals: z.array(refusal).describe("What was refused of it last, up to twenty."),
    next_cursor: nextCursor,
  }),
);

const verdict = component(
  "Verdict",
  z.object({
    id: z.string(),
    model_run_id: maybeText,
    trial_id: z.string(),
    verdict: z.enum(verdicts.verdict.enumValues),
    checked_at: time,
    up_to_date: z.boolean().describe("Nothing was accepted after what it covers."),
    report,
  }),
);

export const getLedger: Operation = {
  id: "getLedger",
  summary: "Trace a trial's events",
  description: "What became of each event, in the order of acceptance.",
  scope: "read",
  parameters: [
    trialId,
    wordFilter("state", "What became of the event.", LEDGER_STATES),
    textFilter("event_id", "One event by its id."),
    ...paging,
  ],
  answers: { 200: { description: "A page of the ledger.", schema: ledger } },
  refusals: [400, 404],
};

export const getVerdict: Operation = {
  id: "getVerdict",
  summary: "Read the last verdict on a trial",
  description: "What the last reading back of MLflow found; 404 before the first.",
  scope: "read",
  parameters: [trialId],
  answers: { 200: { description: "The verdict with its report.", schema: verdict } },
  refusals: [400, 404],
};
