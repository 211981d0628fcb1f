/**
 * Strings, names and numbers of a list or dict as Python or JSON writes it, and single other characters. A string that
 * nothing ends is taken whole, as a group: else every quote in it would be tried as the beginning of one.
 */
const TOKEN =
  /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|(['"].*)|[A-Za-z_]+|[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|\S/gs;
const ESCAPE = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|(.))/gs;
const CONTROLS: Record<string, string> = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f" };
const WORDS = new Map([
  ["True", "true"],
  ["False", "false"],
  ["None", "null"],
  ["nan", '"NaN"'],
  ["NaN", '"NaN"'],
  ["inf", '"Infinity"'],
  ["Infinity", '"Infinity"'],
]);
const MAX_CODE_POINT = 0x10ffff;

/**
 * What a list or dict says, the same for Python's spelling and JSON's; null where it is neither.
 * @param numberMeaning gives a number's text the same form however it is written
 */
export function literalMeaning(text: string, numberMeaning: (text: string) => string): string | null {
  const tokens: string[] = [];
  for (const [token, endless] of text.matchAll(TOKEN)) {
    if (endless !== undefined) return null;
    const first = token[0] ?? "";
    if (first === "'" || first === '"') tokens.push(JSON.stringify(`text:${unescaped(token.slice(1, -1))}`));
    else if (/\d/.test(token) && /^[+\-.\d]/.test(token)) tokens.push(JSON.stringify(numberMeaning(token)));
    else if (/[A-Za-z_]/.test(first)) {
      const word = WORDS.get(token) ?? token;
      if (tokens.at(-1) === "-") tokens.pop();
      else {
        tokens.push(word);
        continue;
      }
      tokens.push(word.replace('"', '"-'));
    } else if (first === "(") tokens.push("[");
    else if (first === ")" || first === "]") {
      if (tokens.at(-1) === ",") tokens.pop();
      tokens.push("]");
    } else tokens.push(first);
  }
  try {
    return JSON.stringify(sortKeys(JSON.parse(tokens.join(" "))));
  } catch {
    return null;
  }
}

/** What stands in quotes, with the escapes of Python and JSON read. */
export function unescaped(body: string): string {
  return body.replace(ESCAPE, (whole, x?: string, u?: string, long?: string, char?: string) => {
    if (char !== undefined) return CONTROLS[char] ?? char;
    const code = Number.parseInt(x ?? u ?? long ?? "", 16);
    if (code > MAX_CODE_POINT) return whole;
    return u === undefined ? String.fromCodePoint(code) : String.fromCharCode(code);
  });
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sortKeys(inner)]),
  );
}
