import * as z from "zod";
import type { jobs } from "../schema/index.ts";

/** The JSON columns of a job, checked as they are read. */

export type JobRow = typeof jobs.$inferSelect;

const errors = z.array(
  z.object({ attempt: z.number(), at: z.number(), kind: z.string(), error: z.string() }),
);
const counts = z.record(z.string(), z.number());

/**
 * What went wrong in an attempt, by its number, at epoch milliseconds. `kind` is that of MLflow's failure, or
 * `internal` (in the relay itself), `cancelled`, or `snoozed`: why the job last waited without spending the attempt.
 */
export type JobError = z.output<typeof errors>[number];

export function readJobErrors(text: string): JobError[] {
  return errors.parse(JSON.parse(text));
}

export function readJobCounts(text: string): Record<string, number> {
  return counts.parse(JSON.parse(text));
}
