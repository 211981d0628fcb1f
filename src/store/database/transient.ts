import { DrizzleQueryError } from "drizzle-orm/errors";
import { sleep } from "../../waiting.ts";

/**
 * What D1 says of a trouble that is over in a moment, where its documentation advises to do the same again. An
 * overloaded database, a statement that took too long and one that used up the memory are not among them: these are
 * left alone for a while, by a later message.
 */
const TRANSIENT =
  /Network connection lost|storage caused object to be reset|reset because its code was updated|transient issue on remote node/;
/** The same of a trouble that is over a little later. */
const BUSY = /\boverloaded\b|queued for too long/;

/** How often a statement is tried again, and about how long after the first time; each wait is twice the one before. */
const MAX_REPEATS = 2;
const REPEAT_MS = 50;

/** Whether what D1 threw is over in a moment. The statement may have taken effect all the same. */
export const isTransient = (error: unknown) => says(TRANSIENT, error);

/** What D1 says of every failure of its own, before the words. */
const OWN = /^D1_/;

/**
 * What it says of a statement and its values, by SQLite's own codes, which D1 gives in words only; it says so again. And
 * what it says of one invocation that asks too much.
 */
const OF_THE_STATEMENT =
  /\bSQLITE_(ERROR|TOOBIG|MISMATCH|CONSTRAINT|RANGE|AUTH)\b|\bD1_(TYPE_ERROR|COLUMN_NOTFOUND)\b|number of parameter bindings|No SQL statements/;
const OF_THE_INVOCATION = /Too many API requests|result too large/;

/** Whether what D1 threw is about what it was asked, whatever the hour. */
export const isOfTheStatement = (error: unknown) => says(OF_THE_STATEMENT, error);

/** Whether the database is what does not work, rather than what was asked of it: the same may succeed later. */
export const isDatabaseAway = (error: unknown) =>
  isOfTheDatabase(error) || (says(OWN, error) && !isOfTheStatement(error) && !says(OF_THE_INVOCATION, error));

/** Whether what D1 threw says nothing of what it was asked, only that it had a bad time. */
export const isOfTheDatabase = (error: unknown) => isTransient(error) || says(BUSY, error);

function says(words: RegExp, error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // Drizzle's own message holds the query with its values, which may say anything.
  if (error instanceof DrizzleQueryError) return says(words, error.cause);
  return words.test(error.message) || says(words, error.cause);
}

/**
 * Does something to the database, once or twice more where a trouble is over in a moment.
 * @param random from 0 to below 1, so that not all who met the trouble come back at once
 */
export async function repeatedly<T>(work: () => Promise<T>, random: () => number): Promise<T> {
  for (let repeats = 0; ; repeats++) {
    try {
      return await work();
    } catch (error) {
      if (repeats >= MAX_REPEATS || !isTransient(error)) throw error;
      const ms = REPEAT_MS * 2 ** repeats * (0.5 + random());
      await sleep(ms);
    }
  }
}
