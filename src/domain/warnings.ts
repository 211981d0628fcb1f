import * as z from "zod";
import { shown, shownPath } from "./shown.ts";

/** What was done with something that was not taken as it was sent. */
export const WARNING_ACTIONS = [
  /** Not taken at all; the rest of the event was. */
  "left_out",
  /** Taken as another value of the same meaning. */
  "converted",
  /** Taken up to MLflow's limit. */
  "cut",
  /** Taken under the documented name. */
  "renamed",
  /** Kept in the journal only, since MLflow has no place for it. */
  "not_sent",
  /** Kept in the journal, and changes nothing: something later stands. */
  "outweighed",
] as const;

/** One thing of an accepted event that was not taken as sent: which field, what it held, the rule, what was done. */
export const warningSchema = z.object({
  field: z.string(),
  value: z.string(),
  rule: z.string(),
  action: z.enum(WARNING_ACTIONS),
});
export type Warning = z.output<typeof warningSchema>;

/** A warning about the field at `path`, with what it held in short. */
export function warning(
  path: readonly PropertyKey[],
  value: unknown,
  rule: string,
  action: Warning["action"],
): Warning {
  return { field: shownPath(path), value: shown(value), rule, action };
}
