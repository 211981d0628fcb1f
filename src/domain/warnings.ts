import * as z from "zod";
import { shown } from "./problems.ts";

/** So many of one event are said; an event may be wrong in a hundred thousand places. */
export const MAX_WARNINGS = 100;

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

const SHOWN_PATH_CHARS = 300;

/** A path with dots, never longer than is good for an answer: a name may be as long as the body. */
function shownPath(path: readonly PropertyKey[]): string {
  const text = path.map((part) => shortened(String(part), SHOWN_PATH_CHARS)).join(".");
  return shortened(text, SHOWN_PATH_CHARS);
}

function shortened(text: string, chars: number): string {
  return text.length <= chars ? text : `${text.slice(0, chars).toWellFormed()}…`;
}
