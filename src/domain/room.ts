import type { Json } from "./types.ts";

/**
 * How much of a trial its folded state holds: it is read whole, and a row of the database takes 2 MB. What does not
 * fit stays in the journal, and the ledger says so; the trial goes on.
 */

/** Of one field, as JSON. All that a trial's events have, at this size, fit into a row together. */
export const MAX_FIELD_BYTES = 64_000;
/** Of all parameters of a trial together; of its tags; and of its metrics' summaries. */
export const MAX_ROOM_BYTES = 8_000_000;
const ROW_BYTES = 100;
const ASCII = /^[\x20-\x7e]*$/;
const MOST_BYTES_A_CHAR = 3;

/** What is taken up so far, in bytes. */
export type Room = { params: number; tags: number; metrics: number };
export const allRoom: Room = { params: 0, tags: 0, metrics: 0 };

/** Takes `bytes` more where they fit; false where they do not, and then nothing is taken. */
export function takes(room: Room, kind: keyof Room, bytes: number): boolean {
  if (bytes > 0 && room[kind] + bytes > MAX_ROOM_BYTES) return false;
  room[kind] += bytes;
  return true;
}

/** What a row of these texts takes up, at most. */
export function rowBytes(...texts: (string | null)[]): number {
  return texts.reduce(
    (sum, text) => sum + (text === null ? 0 : text.length * (ASCII.test(text) ? 1 : MOST_BYTES_A_CHAR)),
    ROW_BYTES,
  );
}

/** A field's value as the state keeps it: a long text is cut, anything else that is too large is left out (null). */
export function bounded(value: Json): { value: Json; action: "cut" | "left_out" | null } {
  if (fits(value)) return { value, action: null };
  if (typeof value !== "string") return { value: null, action: "left_out" };
  let text = value;
  // Escaped, one character may be six.
  for (let most = MAX_FIELD_BYTES; !fits(text); most = Math.floor(most / 2))
    text = value.slice(0, most).toWellFormed();
  return { value: text, action: "cut" };
}

function fits(value: Json): boolean {
  const json = JSON.stringify(value);
  if (json.length > MAX_FIELD_BYTES) return false;
  return json.length * MOST_BYTES_A_CHAR <= MAX_FIELD_BYTES || utf8Bytes(json) <= MAX_FIELD_BYTES;
}

function utf8Bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}
