import { chars, cut } from "./limits.ts";

/** What a text must be for `isHeld`. */
export const HELD_RULE = "must be well-formed text without NUL characters";

/** A text as MLflow can hold it, and what was done to it; `change` is null where nothing was. */
export type ReadText = { text: string; change: { rule: string; action: "cut" | "converted" } | null };

/** What a database of MLflow's cannot hold is replaced, and what is too long is cut, in characters as MLflow counts. */
export function readText(text: string, max: number): ReadText {
  const held = heldText(text);
  if (chars(held) > max)
    return {
      text: cut(held, max),
      change: { rule: `must have at most ${max} characters as text`, action: "cut" },
    };
  if (held === text) return { text, change: null };
  return {
    text: held,
    change: { rule: HELD_RULE, action: "converted" },
  };
}

/** A text with what some database cannot hold replaced. */
export function heldText(text: string): string {
  return isHeld(text) ? text : text.toWellFormed().replaceAll("\0", "\ufffd");
}

/** Whether every database here and of MLflow's holds a text as it is. */
export function isHeld(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}
