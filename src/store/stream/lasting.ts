import { ZodError } from "zod";
import { errorText } from "../../log.ts";

/** By SQLite's own codes: what these say of a statement and its values they say again. D1 gives them in words only. */
const LASTING_CODES = /\bSQLITE_(ERROR|TOOBIG|MISMATCH|CONSTRAINT|RANGE)\b|\bD1_TYPE_ERROR\b/;

/**
 * Whether what was thrown over the relay's own data would be thrown again: stored JSON that is not as it should be, is
 * too deep, or more than the database takes. What the network or a busy database throws may pass.
 */
export function isLasting(error: unknown): boolean {
  if (error instanceof ZodError || error instanceof SyntaxError || error instanceof RangeError) return true;
  if (!(error instanceof Error)) return false;
  return error instanceof TypeError || LASTING_CODES.test(error.message) || isLasting(error.cause);
}

/** An error may quote what it is about. */
const MAX_TEXT_CHARS = 500;

/** What was thrown, in a line for people. */
export function reasonOf(error: unknown): string {
  const [issue] = error instanceof ZodError ? error.issues : [];
  const text = issue ? `${issue.path.join(".")}: ${issue.message}` : errorText(error);
  return text.slice(0, MAX_TEXT_CHARS).toWellFormed();
}
