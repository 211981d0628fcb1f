/**
 * What D1 answers to a statement that it will never take, whatever the hour: the fault is the data's. Anything else,
 * an unknown table or column among it, is the state of the database, and passes.
 */
const PERMANENT = [
  { sign: /SQLITE_TOOBIG|string or blob too big|statement too long/i, reason: "too large for the database" },
  { sign: /SQLITE_CONSTRAINT|constraint failed/i, reason: "a value that the database's rules do not allow" },
  {
    sign: /SQLITE_MISMATCH|datatype mismatch|D1_TYPE_ERROR/i,
    reason: "a value of a kind that the database has not",
  },
  { sign: /malformed JSON|JSON nested|parser stack overflow/i, reason: "JSON that the database cannot read" },
];

export type Refusal = { reason: string; isTooLarge: boolean };

/** Why D1 will never take what it was given; null when it may another time. */
export function permanentRefusal(error: unknown): Refusal | null {
  const text = error instanceof Error ? error.message : String(error);
  const found = PERMANENT.find(({ sign }) => sign.test(text));
  return found ? { reason: `${found.reason} (${text})`, isTooLarge: found === PERMANENT[0] } : null;
}
