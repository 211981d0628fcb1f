/** A regular expression for names of metrics that comes from an address, so from anybody: it must end soon. */

const MAX_CHARS = 100;
/** Two of them take at most the square of a name's length. */
const MAX_REPEATS = 2;

export type Filter = { ok: true; test: (key: string) => boolean } | { ok: false; rule: string };

/** Case does not matter. What could take long is refused: repeats of groups, references, looks around, many repeats. */
export function readFilter(pattern: string): Filter {
  if (pattern === "") return { ok: true, test: () => true };
  if (pattern.length > MAX_CHARS) return { ok: false, rule: `must have at most ${MAX_CHARS} characters` };
  const plain = pattern.replace(/\\[^\dk]/g, "x").replace(/\[[^\]]*\]/g, "x");
  if (/\)[*+?{]/.test(plain)) return { ok: false, rule: "must not repeat a group" };
  if (/\\|\(\?/.test(plain)) return { ok: false, rule: "must not refer back or look around" };
  if ((plain.match(/[*+{]/g)?.length ?? 0) > MAX_REPEATS)
    return { ok: false, rule: `must have at most ${MAX_REPEATS} repeats (* + {})` };
  try {
    const expression = new RegExp(pattern, "i");
    return { ok: true, test: (key) => expression.test(key) };
  } catch {
    return { ok: false, rule: "must be a regular expression" };
  }
}
