import { type Cell, numberIn } from "../../../domain/cell-order.ts";

/** A metric among the trials with spectral normalisation, those without, and those that do not say. */
export type Side = {
  name: "with" | "without" | "unknown";
  /** How many trials there are. */
  trials: number;
  /** Of those with a finite value; null where there are none. */
  box: Box | null;
  values: { place: number; value: number }[];
};

export type Box = { min: number; q1: number; median: number; q3: number; max: number; mean: number };

export function spectralSides(flags: readonly (boolean | null)[], cells: readonly Cell[]): Side[] {
  const side = (name: Side["name"], flag: boolean | null): Side => {
    const places = [...flags.entries()].flatMap(([place, is]) => (is === flag ? [place] : []));
    const values = places.flatMap((place) => {
      const value = numberIn(cells[place] ?? null);
      return Number.isFinite(value) ? [{ place, value }] : [];
    });
    return { name, trials: places.length, values, box: boxOf(values.map(({ value }) => value)) };
  };
  return [side("with", true), side("without", false), side("unknown", null)];
}

/** The part of the trials that say so which have spectral normalisation on; null where none says. */
export function adoption(flags: readonly (boolean | null)[]): number | null {
  const said = flags.filter((flag) => flag !== null);
  return said.length === 0 ? null : said.filter((flag) => flag).length / said.length;
}

/** Quartiles as most programs have them (R's type 7); null of nothing. */
export function boxOf(values: readonly number[]): Box | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number) => {
    const place = (sorted.length - 1) * part;
    const low = sorted[Math.floor(place)] ?? 0;
    const high = sorted[Math.ceil(place)] ?? 0;
    return low + (high - low) * (place - Math.floor(place));
  };
  const mean = values.reduce((sum, value) => sum + value / values.length, 0);
  return { min: at(0), q1: at(0.25), median: at(0.5), q3: at(0.75), max: at(1), mean };
}
