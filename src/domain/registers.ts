import type { Json } from "./types.ts";

/** The latest value by event time, then event id. */
export type Register<T> = { value: T; at: number; id: string };
export type Fields = Record<string, Register<Json>>;

/** When a word counts as said that comes after whatever is known, by order of acceptance. */
export function after(at: number, known: { at: number } | undefined): number {
  return known && known.at >= at ? known.at + 1 : at;
}

/** Whether `a` comes after `b` in event time, ties broken by event id. */
export function isLater(a: { at: number; id: string }, b: { at: number; id: string } | undefined): boolean {
  return !b || a.at > b.at || (a.at === b.at && a.id > b.id);
}
