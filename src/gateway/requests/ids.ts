import { invalid } from "../refusal.ts";
import { invalidValue } from "./names.ts";

const RUN_ID = /^[a-zA-Z0-9][\p{L}\p{N}_-]{0,255}\n?$/u;

/**
 * An experiment's id in the digits that MLflow reads it by: ` 01` is 1.
 * @throws Refusal for what is no whole number
 */
export function experimentIdOf(sent: string): string {
  const [, sign, digits] = /^\s*([+-]?)(\d+(?:_\d+)*)\s*$/.exec(sent) ?? [];
  if (digits === undefined)
    throw invalid(`Invalid experiment ID '${sent}'. Experiment ID must be a valid integer.`);
  return `${sign === "-" ? "-" : ""}${digits.replaceAll("_", "").replace(/^0+(?=\d)/, "")}`;
}

/** Only log-batch looks at what a run's id is made of. */
export function checkRunId(runId: string): void {
  if (!RUN_ID.test(runId)) throw invalidValue("run_id", runId);
}
