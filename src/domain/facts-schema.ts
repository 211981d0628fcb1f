import * as z from "zod";
import { LIFECYCLE_STAGES, RUN_STATUSES, TERMINAL_STATUSES, type TerminalStatus } from "./words.ts";

export { TERMINAL_STATUSES, type TerminalStatus };

/**
 * What one event says about its trial or model run, in the terms of the fold: the one list of it, from which the type
 * and the store's reader both come. Everything but `finals` combines in any order.
 */

/** What the policy makes of a trial whose trainer fell silent: `left` changes nothing but a tag. */
export const QUIET_STATUSES = ["left", "failed", "cancelled"] as const;
export type QuietStatus = (typeof QUIET_STATUSES)[number];

const texts = z.record(z.string(), z.string());
/** A number, or the text NaN, Infinity or -Infinity. */
export const wireNumber = z.union([z.number(), z.string()]);

export const factsSchema = z.object({
  /** A start or an end: the stream is more than a stub. */
  announces: z.literal(true).optional(),
  /** A start: it names what cannot be changed later, as the experiment. */
  starts: z.literal(true).optional(),
  /** An end, and of which kind. */
  ends: z.enum(TERMINAL_STATUSES).optional(),
  /** When it ended, where that is not the event's own time. */
  endedAt: z.number().optional(),
  /** The trainer says that an ended trial goes on. */
  resumes: z.literal(true).optional(),
  /** What the relay itself found or took over: the last event that it knew of. Whatever came later is news to it. */
  over: z.number().optional(),
  /** Latest by event time wins, field by field. */
  fields: z.record(z.string(), z.json()).optional(),
  /** The first accepted value stands. */
  params: texts.optional(),
  /** An operator's corrections of parameters: each replaces the first accepted value. */
  corrections: texts.optional(),
  /** Latest by event time wins, tag by tag. */
  tags: texts.optional(),
  /** Tags until anything else is said of them. */
  defaults: texts.optional(),
  /** Tags that were taken away; against `tags` the latest by event time wins, tag by tag. */
  untags: z.array(z.string()).optional(),
  /** Metrics of a terminal event without a step: they take the highest step at their first delivery. */
  finals: z.record(z.string(), wireNumber).optional(),
  /** The relay's own finding that the trainer is silent, and what the policy makes of it. */
  quiet: z.object({ heardAt: z.number(), as: z.enum(QUIET_STATUSES) }).optional(),
  /** MLflow's own state of a run, as its client said it: each field stands until the next word on it. */
  run: z
    .object({
      status: z.enum(RUN_STATUSES).exactOptional(),
      startTime: z.number().exactOptional(),
      endTime: z.number().exactOptional(),
    })
    .optional(),
  /** The run was deleted, or restored. Its row says which of them stands. */
  lifecycle: z.enum(LIFECYCLE_STAGES).optional(),
  /** Metadata of a metric event: kept in the journal, sent nowhere. */
  about: z.record(z.string(), z.json()).optional(),
});

export type Facts = z.output<typeof factsSchema>;
