import { PYTHON_WORD_BOUNDS } from "./python-word-table.ts";

/** Code points where a run of word characters begins, ends, begins ... */
const bounds: number[] = [];
for (const step of PYTHON_WORD_BOUNDS.split(","))
  bounds.push((bounds.at(-1) ?? 0) + Number.parseInt(step, 36));

/**
 * Whether the oldest supported Python's `\w` matches a character. Its Unicode is older than this runtime's, and what was
 * added since it does not know.
 */
export function isPythonWord(character: string): boolean {
  const code = character.codePointAt(0) ?? 0;
  let low = 0;
  let high = bounds.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((bounds[middle] ?? 0) <= code) low = middle + 1;
    else high = middle;
  }
  // So many bounds are at or before it: after an odd number of them a run is open.
  return low % 2 === 1;
}
