import { cut } from "./limits.ts";

/** One thing wrong with one field: which, what it held, and the rule it broke. */
export type FieldProblem = { field: string; rule: string; value?: string; missing?: true };

const SHOWN_VALUE_CHARS = 100;

/** A field's value for an error message: short, and never the whole of something large. */
export function shown(value: unknown): string {
  const text =
    typeof value === "bigint" ? value.toString() : (JSON.stringify(value, bigintAsText) ?? "nothing");
  const short = cut(text, SHOWN_VALUE_CHARS);
  return short === text ? text : `${short}…`;
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

/** A problem with a field that is there. */
export function invalid(path: readonly PropertyKey[], rule: string, value: unknown): FieldProblem {
  return { field: path.map(String).join("."), rule, value: shown(value) };
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
