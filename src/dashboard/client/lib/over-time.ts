import { type Cell, numberIn } from "../../../domain/cell-order.ts";

/** A trial as it ended: `best` is the best value up to and with it. */
export type Moment = { place: number; at: number; value: number; best: number; isBetter: boolean };

/**
 * The best value over time, by when trials ended (else began), as an optimisation history shows it. Trials without a time
 * or a finite value are left out.
 * @param times ISO 8601
 */
export function bestOverTime(
  times: readonly (string | null)[],
  values: readonly Cell[],
  sense: "min" | "max",
): Moment[] {
  const known = values.flatMap((cell, place) => {
    const value = numberIn(cell);
    const at = Date.parse(times[place] ?? "");
    return Number.isFinite(value) && !Number.isNaN(at) ? [{ place, at, value }] : [];
  });
  known.sort((a, b) => a.at - b.at || a.place - b.place);
  const moments: Moment[] = [];
  for (const one of known) {
    const before = moments.at(-1)?.best;
    const isBetter = before === undefined || (sense === "min" ? one.value < before : one.value > before);
    moments.push({ ...one, isBetter, best: isBetter ? one.value : before });
  }
  return moments;
}
