import type { TableData } from "../lib/table-data.ts";

/** Names in charts and headings, which have no room for long ones. */

const MAX_CHARS = 40;
/** What writes from right to left, or would turn what stands beside it. */
const TURNS = /[\u202a-\u202e\u2066-\u2069\u200e\u200f]/g;

export function short(text: string, max = MAX_CHARS): string {
  const plain = text
    .slice(0, 4 * max)
    .replace(TURNS, "")
    .replace(/\s+/g, " ");
  return plain.length > max ? `${plain.slice(0, max - 1)}…` : plain;
}

/** A trial by its name, else by its trainer's id. */
export function nameOfTrial({ trials }: TableData, place: number): string {
  return short(trials.run_name[place] ?? trials.trial_id[place] ?? "");
}
