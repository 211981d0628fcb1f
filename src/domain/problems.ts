import { shown, shownPath } from "./shown.ts";

/** One thing wrong with one field: which, what it held, and the rule it broke. */
export type FieldProblem = { field: string; rule: string; value?: string; missing?: true };

/** A problem with a field that is there. */
export function invalid(path: readonly PropertyKey[], rule: string, value: unknown): FieldProblem {
  return { field: shownPath(path), rule, value: shown(value) };
}

/** A problem with a required field that is not there. */
export function missing(field: string): FieldProblem {
  return { field, rule: "is required", missing: true };
}

/** One line for people: `step must be an integer, got "three"`. */
export function sentence(problem: FieldProblem): string {
  // The original's words for the one field that says what the others are.
  if (problem.missing && problem.field === "event") return "missing event field";
  return problem.missing
    ? `missing required field: ${problem.field}`
    : `${problem.field} ${problem.rule}, got ${problem.value ?? "nothing"}`;
}

/** What is said of one event at most. */
export const MAX_SAID = 100;
