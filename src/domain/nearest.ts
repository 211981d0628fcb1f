/** A longer name is no slip of the fingers, and would cost more to compare. */
const MAX_CHARS = 40;

/** The known word that a misspelt one was most likely meant to be, or null where none is near. */
export function nearest(word: string, known: Iterable<string>): string | null {
  if (word.length > MAX_CHARS) return null;
  const slips = word.length < 5 ? 1 : 2;
  let best: { name: string; distance: number } | null = null;
  for (const name of known) {
    if (Math.abs(name.length - word.length) > slips) continue;
    const distance = editDistance(plain(word), plain(name));
    if (distance <= slips && (best === null || distance < best.distance)) best = { name, distance };
  }
  return best?.name ?? null;
}

/** Names differ by more than a slip when their words do, not by how those are joined. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[-_ ]/g, "");
}

/** Levenshtein's distance, where two letters that changed places count as one slip. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      const choices = [at(above, j) + 1, at(row, j - 1) + 1, at(above, j - 1) + (same ? 0 : 1)];
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        choices.push(at(before, j - 2) + 1);
      row.push(Math.min(...choices));
    }
    before = above;
    above = row;
  }
  return at(above, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Infinity;
}
