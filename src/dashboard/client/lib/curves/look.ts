/** How a trial's lines look: each its colour, and with spectral_norm dashed. */

/** Told apart on light and dark; the first ten best, also by most who see colours differently. */
const COLORS = [
  "#4269d0",
  "#e8871e",
  "#3ca951",
  "#d6404e",
  "#a463f2",
  "#2aa5b8",
  "#c7549b",
  "#9c6b4e",
  "#8a94a3",
  "#b59b00",
  "#86a8ff",
  "#ffb46b",
  "#7fd393",
  "#ff8f97",
  "#cfa8ff",
  "#7fd5e0",
  "#eb9bd0",
  "#c99f84",
  "#5d6670",
  "#dcc94a",
] as const;

/** Pixels of line and space. */
export const DASH: readonly number[] = [6, 4];

/** The colour of the trial at a place of the list. */
export function colorAt(index: number): string {
  return COLORS[index % COLORS.length] ?? COLORS[0];
}

/** The dash of its lines; none where they are whole. */
export function dashOf(spectralNorm: boolean | null): readonly number[] | undefined {
  return spectralNorm ? DASH : undefined;
}
