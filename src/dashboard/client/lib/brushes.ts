import { joinList, splitList } from "../../../domain/table-columns.ts";

/** A stretch of a column's axis, both ends in it; of texts by their places on the axis. */
export type Brush = { name: string; from: number; to: number };

const DIGITS = 6;

/** Brushes as one text of an address: `params.lr~0.001~0.1`, with commas between. */
export function writeBrushes(brushes: readonly Brush[]): string {
  return joinList(brushes.map(({ name, from, to }) => `${name}~${short(from)}~${short(to)}`));
}

const short = (end: number) => Number(end.toPrecision(DIGITS));

/** What is not understood is as if it were not there. */
export function readBrushes(text: string): Brush[] {
  return splitList(text).flatMap((item) => {
    const [, name = "", first = "", last = ""] = /^(.+)~([^~]+)~([^~]+)$/s.exec(item) ?? [];
    const [from, to] = [Number(first), Number(last)];
    return name !== "" && Number.isFinite(from) && Number.isFinite(to) && from <= to
      ? [{ name, from, to }]
      : [];
  });
}

/** Whether a place on a column's axis is in one of its brushes, where it has any. */
export function isBrushed(brushes: readonly Brush[], name: string, at: number | null): boolean {
  const own = brushes.filter((brush) => brush.name === name);
  return own.length === 0 || (at !== null && own.some(({ from, to }) => from <= at && at <= to));
}

/** The brushes with those of a column replaced. */
export function withBrushes(
  brushes: readonly Brush[],
  name: string,
  stretches: readonly (readonly [from: number, to: number])[],
): Brush[] {
  const others = brushes.filter((brush) => brush.name !== name);
  return [...others, ...stretches.map(([from, to]) => ({ name, from, to }))];
}
