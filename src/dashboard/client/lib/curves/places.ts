/** Up to which event of each trial something is known, as the API's `seq` has it; trials are in one order on a page. */
export type Places = readonly number[];

export function readPlaces(seq: string): Places {
  return seq.split("-").map(Number);
}

/** What of several is known of all. */
export function earliest([first = [0], ...others]: readonly Places[]): Places {
  return others.reduce((least, places) => least.map((seq, i) => Math.min(seq, places[i] ?? 0)), first);
}

/** What of two is known of either. */
export function latest(a: Places, b: Places): Places {
  return a.map((seq, i) => Math.max(seq, b[i] ?? 0));
}
