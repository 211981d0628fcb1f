import * as z from "zod";
import { CONFLICT_KINDS, LEDGER_STATES, LETTER_KINDS, LETTER_STATES } from "../domain/words.ts";
import { count, json, maybeText, maybeTime, time, warnings } from "./parts.ts";

/** What became of events: those that were accepted, and those that were refused. */

const conflict = z.object({
  id: z.int(),
  kind: z.enum(CONFLICT_KINDS),
  field: maybeText,
  kept: maybeText,
  refused: z.string(),
  created_at: time,
});

const deadLetter = z.object({
  id: z.int(),
  kind: z.enum(LETTER_KINDS),
  item: json,
  reason: maybeText,
  state: z.enum(LETTER_STATES),
  created_at: time,
});

export const ledgerEntry = z
  .object({
    seq: count.describe("Its place in the order of acceptance, within its trial; there are gaps."),
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
    conflicts: z.array(conflict),
    dead_letters: z.array(deadLetter),
  })
  .meta({ id: "LedgerEntry" });
export type LedgerEntry = z.output<typeof ledgerEntry>;

export const ledgerTotals = z.object({
  accepted: count,
  delivered: count,
  confirmed: count,
  duplicates: count,
  conflicting: count,
  dead: count,
});

export const refusal = z
  .object({
    token_id: z.string().describe("The token's public id."),
    model_run_id: maybeText,
    trial_id: maybeText,
    error: z.string(),
    field: maybeText,
    rule: z.string(),
    value: maybeText.describe("What the field held the last time, cut."),
    count: count.describe("How often."),
    first_at: time,
    last_at: time,
    request_id: z.string().describe("Of the last request, for the log."),
  })
  .meta({ id: "Refusal" });
export type RefusalView = z.output<typeof refusal>;
