import { invalid } from "../refusal.ts";
import { invalidValue } from "./names.ts";

const RUN_ID = /^[a-zA-Z0-9][\p{L}\p{N}_-]{0,255}\n?$/u;

/**
 * An experiment's id in the digits that MLflow reads it by: ` 01` is 1.
 * @throws Refusal for what is no whole number
 */
export function experimentIdOf(sent: string): string {
  const digits = /^\s*([+-]?)0*(\d+(?:_\d+)*)\s*$/.exec(sent);
  if (!digits) throw invalid(`Invalid experiment ID '${sent}'. Experiment ID must be a valid integer.`);
  return `${digits[1] === "-" ? "-" : ""}${digits[2]?.replaceAll("_", "")}`;
}

/** Only log-batch looks at what a run's id is made of. */
export function checkRunId(runId: string): void {
  if (!RUN_ID.test(runId)) throw invalidValue("run_id", runId);
}
