import { utf8Length } from "./flat-size.ts";
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
/** Runs of characters that JSON writes as they are, in a byte each, and any other by itself. */
const PARTS = /[\x20\x21\x23-\x5b\x5d-\x7e]{2,}|./gsu;
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
  return { value: cutToBytes(value, MAX_FIELD_BYTES), action: "cut" };
}

/** As much of a text's beginning as takes at most `max` bytes as JSON, where one character may take six. */
export function cutToBytes(text: string, max: number): string {
  const begin = text.slice(0, max).toWellFormed();
  let bytes = '""'.length;
  let end = 0;
  for (const [part] of begin.matchAll(PARTS)) {
    const isPlain = part.length > 1 && part.charCodeAt(0) < 0x7f;
    const more = isPlain ? part.length : utf8Length(JSON.stringify(part)) - '""'.length;
    if (bytes + more > max) return begin.slice(0, end + (isPlain ? Math.max(0, max - bytes) : 0));
    bytes += more;
    end += part.length;
  }
  return begin;
}

function fits(value: Json): boolean {
  const json = JSON.stringify(value);
  if (json.length > MAX_FIELD_BYTES) return false;
  return json.length * MOST_BYTES_A_CHAR <= MAX_FIELD_BYTES || utf8Length(json) <= MAX_FIELD_BYTES;
}
