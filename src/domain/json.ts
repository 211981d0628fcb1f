/** Strings are matched first, so that a bare NaN inside one is left alone. */
const STRING_OR_PYTHON_TOKEN = /"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g;
const LONG_DIGITS = /\d{16}/;

/** V8 hands the source text of a primitive to the reviver (TC39 "JSON.parse source text access"). */
type Reviver = (this: unknown, key: string, value: unknown, context?: { source?: string }) => unknown;

/** An integer that a double cannot hold becomes a bigint, so that a 64-bit seed is not silently changed. */
const keepLongIntegers: Reviver = (_key, value, context) =>
  typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? "")
    ? BigInt(context?.source ?? "")
    : value;

/**
 * Parses JSON as Python writes it: bare NaN, Infinity and -Infinity become strings of that name, and integers
 * beyond a double's exact range become bigints.
 * @throws SyntaxError when the text is not JSON even so.
 */
export function parseJson(text: string): unknown {
  const reviver = LONG_DIGITS.test(text) ? keepLongIntegers : undefined;
  try {
    return JSON.parse(text, reviver);
  } catch (error) {
    const quoted = text.replace(STRING_OR_PYTHON_TOKEN, (token) => (token[0] === '"' ? token : `"${token}"`));
    if (quoted === text) throw error;
    return JSON.parse(quoted, reviver);
  }
}
