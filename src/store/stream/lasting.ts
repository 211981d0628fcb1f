import { ZodError } from "zod";
import { errorText } from "../../log.ts";
import { isOfTheStatement } from "../database/transient.ts";

/**
 * Whether what was thrown over the relay's own data would be thrown again: stored JSON that is not as it should be, is
 * too deep, or more than the database takes. What the network or a busy database throws may pass.
 */
export function isLasting(error: unknown): boolean {
  if (error instanceof ZodError || error instanceof SyntaxError || error instanceof RangeError) return true;
  if (!(error instanceof Error)) return false;
  return error instanceof TypeError || isOfTheStatement(error) || isLasting(error.cause);
}

/** An error may quote what it is about. */
const MAX_TEXT_CHARS = 500;

/** What was thrown, in a line for people. */
export function reasonOf(error: unknown): string {
  const [issue] = error instanceof ZodError ? error.issues : [];
  const text = issue ? `${issue.path.join(".")}: ${issue.message}` : errorText(error);
  return text.slice(0, MAX_TEXT_CHARS).toWellFormed();
}
