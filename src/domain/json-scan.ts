import { type Doubled, Names } from "./json-names.ts";
import { MAX_JSON_DEPTH } from "./limits.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_MAP = 0x7b;
const CLOSE_MAP = 0x7d;
const MINUS = 0x2d;
const CAPITAL_I = 0x49;
const CAPITAL_N = 0x4e;

const PYTHON_WORDS: Record<number, string> = { [CAPITAL_N]: "NaN", [CAPITAL_I]: "Infinity" };

export type Scan = {
  /** The text with Python's bare NaN and infinities quoted, and what nests too deep replaced with null. */
  text: string;
  /** Which items nest too deep, by index in a list (0 where the text is no list), each with its field as text. */
  deep: Map<number, string>;
  /** Which items have a name more than once, by index as well. */
  doubled: ReadonlyMap<number, Doubled>;
  /** At most so many values are in the text. */
  values: number;
};

/**
 * Looks once over a JSON text before it is parsed, in as many steps as it has characters. It judges no grammar: what
 * is not JSON before is not JSON after.
 */
export function scanJson(text: string): Scan {
  const isList = /^[ \t\r\n]*\[/.test(text);
  const itemDepth = isList ? 1 : 0;
  const maxDepth = MAX_JSON_DEPTH + itemDepth;
  const parts: string[] = [];
  const deep: Scan["deep"] = new Map();
  const names = new Names(itemDepth);
  let values = 1;
  let depth = 0;
  let index = 0;
  let copied = 0;
  let deepFrom = -1;
  let field = "";
  const replace = (from: number, to: number, by: string) => {
    parts.push(text.slice(copied, from), by);
    copied = to;
  };
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) {
      const end = endOfString(text, i);
      // In an object the last text before a value opens is the value's name.
      if (depth === itemDepth + 1) field = text.slice(i + 1, end - 1);
      if (deepFrom < 0 && names.isNext) names.name(text.slice(i + 1, end - 1));
      i = end - 1;
    } else if (code === OPEN_LIST || code === OPEN_MAP) {
      depth++;
      values++;
      if (depth > maxDepth && deepFrom < 0) deepFrom = i;
      if (deepFrom < 0) names.open(code === OPEN_LIST);
    } else if (code === CLOSE_LIST || code === CLOSE_MAP) {
      depth--;
      if (deepFrom < 0) names.close();
      if (deepFrom < 0 || depth !== maxDepth) continue;
      replace(deepFrom, i + 1, "null");
      if (!deep.has(index)) deep.set(index, field);
      deepFrom = -1;
    } else if (code === COMMA) {
      values++;
      if (deepFrom < 0) names.comma();
      if (isList && depth === 1) index++;
    } else if (code === CAPITAL_N || code === CAPITAL_I) {
      const word = PYTHON_WORDS[code] ?? "";
      if (deepFrom >= 0 || !text.startsWith(word, i)) continue;
      const from = text.charCodeAt(i - 1) === MINUS ? i - 1 : i;
      // With an escape in it, by which the parser knows it from the same word in quotes.
      const initial = `\\u00${code.toString(16)}`;
      replace(from, i + word.length, `"${text.slice(from, i)}${initial}${word.slice(1)}"`);
      i += word.length - 1;
    }
  }
  if (deepFrom >= 0) replace(deepFrom, text.length, "null");
  return {
    text: parts.length === 0 ? text : parts.join("") + text.slice(copied),
    deep,
    doubled: names.doubled,
    values,
  };
}

/** Where the string that opens at `from` is over; the text's end where it never closes. */
function endOfString(text: string, from: number): number {
  for (let i = from + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === BACKSLASH) i++;
    else if (code === QUOTE) return i + 1;
  }
  return text.length;
}
